// Pebble, the certificate authority that cert-manager asks by ACME, and the DNS that it and cert-manager believe: real processes.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtBy } from '../cluster/built.ts';
import { moment } from '../cluster/test-cluster.ts';
import { createAuthority } from '../tls/certificates.ts';

const acmePort = 14_000;
const managementPort = 15_000;
const dnsManagementPort = 8055;

/** The folder with the programs, or why there is none: said loudly, never skipped in silence. */
export function certManagerAssets(): { readonly folder: string } | { readonly missing: string } {
  const found = builtBy('cert-manager-assets');
  return 'missing' in found ? found : { folder: found.path };
}

export interface PebbleOptions {
  readonly assets: string;
  readonly acmeAddress: string;
  readonly dnsAddress: string;
  /** Where every name leads that `resolve` was not told of; absent: such a name does not exist. */
  readonly everywhere?: string;
}

export class Pebble {
  readonly #options: PebbleOptions;
  /** Signs what Pebble listens with; what Pebble issues is signed by another. */
  readonly #authority = createAuthority('Transport of Pebble');
  readonly #folder = mkdtempSync(join(tmpdir(), 'flint-acme-'));
  readonly #children = new Set<ChildProcess>();
  readonly #output: string[] = [];

  private constructor(options: PebbleOptions) {
    this.#options = options;
  }

  /** Resolves when it listens. */
  static async start(options: PebbleOptions): Promise<Pebble> {
    const pebble = new Pebble(options);
    try {
      pebble.#startDns();
      pebble.#startAuthority();
      await pebble.#untilListening();
    } catch (error) {
      pebble.stop();
      throw error;
    }
    return pebble;
  }

  /** Where names are resolved. */
  get nameserver(): string {
    return `${this.#options.dnsAddress}:53`;
  }

  /** A ClusterIssuer that asks it. */
  issuer(name: string): object {
    return {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name },
      spec: {
        acme: {
          server: `https://${this.#options.acmeAddress}:${acmePort}/dir`,
          caBundle: Buffer.from(this.#authority.root.certificate).toString('base64'),
          privateKeySecretRef: { name },
          solvers: [{ http01: { ingress: { ingressClassName: 'flint' } } }],
        },
      },
    };
  }

  /** Who signs what it issues. */
  rootCertificate(): Promise<string> {
    return this.#ask(managementPort, '/roots/0');
  }

  /** From now on the name leads there. */
  async resolve(name: string, address: string): Promise<void> {
    const { dnsAddress: host } = this.#options;
    const outgoing = plainRequest({ host, port: dnsManagementPort, path: '/add-a', method: 'POST' });
    outgoing.end(JSON.stringify({ host: name, addresses: [address] }));
    await new Promise<void>((resolve, reject) => {
      outgoing.on('error', reject).on('response', (response) => {
        response.resume();
        if (response.statusCode === 200) resolve();
        else reject(new Error(`the DNS does not take ${name}: ${response.statusCode}`));
      });
    });
  }

  /** The last words of everybody, for a test that fails. */
  get output(): string {
    return this.#output.slice(-60).join('\n');
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Another program of the folder, whose output is kept and which ends with this. */
  run(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const child = spawn(join(this.#options.assets, program), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    for (const stream of [child.stdout, child.stderr])
      stream
        ?.setEncoding('utf8')
        .on('data', (text: string) => this.#output.push(`${program}: ${text.trim()}`));
    return child;
  }

  #startDns(): void {
    const { dnsAddress, everywhere = '' } = this.#options;
    this.run('pebble-challtestsrv', [
      ...['http01', 'https01', 'tlsalpn01', 'doh'].map((name) => `-${name}=`),
      `-dnsserver=${this.nameserver}`,
      `-management=${dnsAddress}:${dnsManagementPort}`,
      `-defaultIPv4=${everywhere}`,
      '-defaultIPv6=',
    ]);
  }

  #startAuthority(): void {
    const { acmeAddress } = this.#options;
    const leaf = this.#authority.issue({
      dnsNames: ['acme.test'],
      alternativeNames: addressName(acmeAddress),
    });
    const file = (name: string, content: string): string => {
      writeFileSync(join(this.#folder, name), content);
      return join(this.#folder, name);
    };
    const config = {
      pebble: {
        listenAddress: `${acmeAddress}:${acmePort}`,
        managementListenAddress: `${acmeAddress}:${managementPort}`,
        certificate: file('pebble.crt', this.#authority.chainOf(leaf)),
        privateKey: file('pebble.key', leaf.keyPem),
        httpPort: 80,
        tlsPort: 443,
        keyAlgorithm: 'ecdsa',
        retryAfter: { authz: 1, order: 1 },
      },
    };
    this.run(
      'pebble',
      ['-config', file('pebble.json', JSON.stringify(config)), '-dnsserver', this.nameserver],
      {
        PEBBLE_VA_NOSLEEP: '1',
        PEBBLE_WFE_NONCEREJECT: '0',
        // Every renewal has its challenge.
        PEBBLE_AUTHZREUSE: '0',
      },
    );
  }

  #ask(port: number, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const ca = this.#authority.root.certificate;
      const host = this.#options.acmeAddress;
      const outgoing = request({ host, port, path, ca, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => resolve(text));
      });
      outgoing.on('error', reject).end();
    });
  }

  async #untilListening(): Promise<void> {
    const endMs = Date.now() + 30_000;
    for (;;) {
      const answer = await this.#ask(acmePort, '/dir').catch((error: unknown) => error);
      if (typeof answer === 'string') return;
      if (Date.now() > endMs) throw new Error(this.output, { cause: answer });
      await moment();
    }
  }
}

/** An iPAddress of a subjectAltName. */
function addressName(address: string): Buffer {
  return Buffer.from([0x87, 4, ...address.split('.').map(Number)]);
}
