// What the soak's Flint is told to serve, and every change of it: endpoints, other routes, the TLS pair.
import { authority, pairFor, secret } from '../test/e2e/tls-clients.ts';
import { route, service, simpleRoute, yaml } from '../test/e2e/manifests.ts';
import { methods } from '../test/e2e/grpc-echo.ts';
import { host } from './soak-orders.ts';

const pairs = [pairFor(host), pairFor(host), pairFor(host)];
/** Longer than a busy machine lets a good backend wait. */
const timeouts = { request: '15s' };

export class SoakScene {
  readonly ca = authority.root.certificate;
  readonly #http: readonly number[];
  readonly #grpc: readonly number[];
  /** An endpoint that is left out; 0: none. */
  #without = 0;
  #routes = 0;
  #pair = 0;

  constructor(http: readonly number[], grpc: readonly number[]) {
    this.#http = http;
    this.#grpc = grpc;
  }

  leaveOut(port: number): void {
    this.#without = port;
  }

  changeRoutes(): void {
    this.#routes++;
  }

  renewPair(): void {
    this.#pair++;
  }

  get manifests(): string {
    const grpcPath = { path: { type: 'PathPrefix', value: methods.Unary.path.replace(/\/\w+$/, '') } };
    const rules = [
      { name: 'grpc', matches: [grpcPath], timeouts, backendRefs: [{ name: 'grpc', port: 80 }] },
      // A name that changes with every change of routes: the rules that serve are new ones each time.
      { name: `all-${this.#routes}`, timeouts, backendRefs: [{ name: 'shop', port: 80 }] },
    ];
    const tls = { certificateRefs: [{ name: 'soak-tls' }], plaintext: 'Serve' };
    const others = Array.from({ length: this.#routes % 20 }, (_, number) =>
      simpleRoute(`other-${number + this.#routes}.test`, 'shop'),
    );
    const [grpc, ...grpcSlices] = service('grpc', this.#left(this.#grpc)) as readonly object[];
    return yaml(
      route('soak', { hostnames: [host], tls, rules }),
      ...others,
      ...service('shop', this.#left(this.#http)),
      { ...grpc, spec: { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] } },
      ...grpcSlices,
      secret('soak-tls', pairs[this.#pair % pairs.length]!),
    );
  }

  #left(ports: readonly number[]): readonly number[] {
    return ports.filter((port) => port !== this.#without);
  }
}
