// The data plane by itself, as a process that replaces all of its 10,000 routes on a schedule; swap.ts puts it under load.
//
//   hack/runtime node|bun test/bench/swap-server.ts '{"port":8080,"backends":[3000],"swaps":10,"everyMs":1000}'
//
// Its tables are translated and encoded before it listens, as the operator would do elsewhere; what runs under load is
// what every data plane does with a new revision: decode, validate, compile, diff, hand it to the workers. Every rule
// differs between two tables, while every request is taken by all. "go" on standard input starts the swaps.
import { controllerName } from '#api/ingress-class.ts';
import { DataPlane } from '#dataplane/data-plane.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { newSessionKey } from '#model/signing-key.ts';
import { createLogger } from '#telemetry/log.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import { flintObjects } from './flint-conf.ts';
import { scenes } from './scene.ts';

export interface SwapOptions {
  readonly port: number;
  readonly backends: readonly number[];
  readonly swaps: number;
  readonly everyMs: number;
}

/** A line of standard output. */
export type SwapNews =
  | { readonly kind: 'Ready' }
  /** `servedMs` is from handing over the bundle until every worker serves it. */
  | { readonly kind: 'Swapped'; readonly servedMs: number }
  | { readonly kind: 'Refused'; readonly message: string };

const { port, backends, swaps, everyMs } = JSON.parse(process.argv[2] ?? '{}') as SwapOptions;

const bundles = Array.from({ length: swaps + 1 }, (_, version) => bundleOf(version));
const dataPlane = new DataPlane({
  http: { host: '127.0.0.1', port },
  admin: { host: '127.0.0.1', port: 0 },
  workers: 1,
  proxy: defaultProxySettings,
  logger: createLogger('error'),
  writeAccessLog: undefined,
});
await swapTo(0);
tell({ kind: 'Ready' });
process.stdin.once('data', () => {
  let version = 1;
  const timer = setInterval(() => {
    if (version === swaps) clearInterval(timer);
    void swapTo(version++).then(tell);
  }, everyMs);
});
// Whoever started this one is gone.
process.stdin.once('end', () => process.exit(0));

async function swapTo(version: number): Promise<SwapNews> {
  const startedMs = performance.now();
  const applied = await dataPlane.apply(bundles[version] as Bundle, version + 1);
  if (applied.kind !== 'Applied') return { kind: 'Refused', message: JSON.stringify(applied) };
  await dataPlane.served(version + 1);
  return { kind: 'Swapped', servedMs: performance.now() - startedMs };
}

function bundleOf(version: number): Bundle {
  const objects = flintObjects(scenes.tenThousand, backends, version);
  const ofKind = (kind: string): typeof objects => objects.filter((object) => object.kind === kind);
  const ingressClass = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'flint' },
    spec: { controller: controllerName },
  };
  const view = {
    ingressRoutes: ofKind('IngressRoute'),
    ingressClasses: [ingressClass],
    services: ofKind('Service'),
    endpointSlices: ofKind('EndpointSlice'),
    ingresses: [],
    secrets: [],
    nodes: [],
    issuedCertificates: [],
    claims: new Map(),
    lastGood: new Map(),
    sessionKey: newSessionKey(),
    now: '2026-01-01T00:00:00Z',
  };
  return encode(translate(view, defaultTranslateSettings).model);
}

function tell(news: SwapNews): void {
  process.stdout.write(`${JSON.stringify(news)}\n`);
}
