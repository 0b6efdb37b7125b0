// A real kube-apiserver with its etcd, for one test file: started on free ports, killed at the end.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { builtBy } from './built.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The folder with the binaries, or why there is none: said loudly, never skipped in silence. */
export function kubeAssets(): { readonly folder: string } | { readonly missing: string } {
  const found = builtBy('kube-assets');
  return 'missing' in found ? found : { folder: found.path };
}

export interface ApiServerOptions {
  /** Where it listens, and where pods and nodes find it; absent: loopback. */
  readonly address?: string;
  /** Flags besides the usual ones or in their place; undefined takes a usual one away. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** Who may come besides the administrator. */
  readonly users?: readonly ApiUser[];
  /** A folder for what it and etcd write; absent: nowhere. */
  readonly logs?: string;
}

export interface ApiUser {
  readonly token: string;
  readonly name: string;
  readonly group?: string;
}

export class ApiServer {
  readonly url: string;
  readonly #folder: string;
  readonly #assets: string;
  readonly adminToken: string;
  readonly #startKube: () => ChildProcess;
  readonly #etcd: ChildProcess;
  #kube: ChildProcess;

  private constructor(
    url: string,
    folder: string,
    assets: string,
    token: string,
    etcd: ChildProcess,
    startKube: () => ChildProcess,
  ) {
    this.url = url;
    this.#folder = folder;
    this.#assets = assets;
    this.adminToken = token;
    this.#etcd = etcd;
    this.#startKube = startKube;
    this.#kube = startKube();
  }

  /** Resolves when the API server is ready. */
  static async start(assets: string, options: ApiServerOptions = {}): Promise<ApiServer> {
    const { address = '127.0.0.1', flags = {}, users = [], logs } = options;
    const folder = mkdtempSync(join(tmpdir(), 'flint-kube-'));
    const token = randomBytes(16).toString('hex');
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(join(folder, 'sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(folder, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    const admin: ApiUser = { token, name: 'admin', group: 'system:masters' };
    const rows = [admin, ...users].map(
      (user) => `${user.token},${user.name},${user.name},${user.group ?? ''}\n`,
    );
    writeFileSync(join(folder, 'tokens.csv'), rows.join(''));
    const [client, peer, secure] = [await freePort(), await freePort(), await freePort()];
    const start = (name: string, args: Readonly<Record<string, string | undefined>>): ChildProcess => {
      const log = logs === undefined ? 'ignore' : openSync(join(logs, `${name}.log`), 'a');
      const given = Object.entries(args).filter(([, value]) => value !== undefined);
      const child = spawn(
        join(assets, name),
        given.map(([flag, value]) => `--${flag}=${value}`),
        { stdio: ['ignore', log, log] },
      );
      if (log !== 'ignore') closeSync(log);
      return child;
    };
    const privateNetwork = process.env['FLINT_PRIVATE_NETWORK'];
    const etcdUrl = `http://127.0.0.1:${client}`;
    const etcd = start('etcd', {
      'data-dir': join(folder, 'etcd'),
      'listen-client-urls': etcdUrl,
      'advertise-client-urls': etcdUrl,
      'listen-peer-urls': `http://127.0.0.1:${peer}`,
      'unsafe-no-fsync': 'true',
    });
    const startKube = (): ChildProcess =>
      start('kube-apiserver', {
        'etcd-servers': etcdUrl,
        'bind-address': address,
        'secure-port': String(secure),
        'cert-dir': join(folder, 'certs'),
        'service-account-key-file': join(folder, 'sa.pub'),
        'service-account-signing-key-file': join(folder, 'sa.key'),
        'service-account-issuer': 'https://kubernetes.default',
        'authorization-mode': 'RBAC',
        'token-auth-file': join(folder, 'tokens.csv'),
        'service-cluster-ip-range': '10.96.0.0/16',
        'disable-admission-plugins': 'ServiceAccount',
        // A private network has no default route to find one by.
        ...(privateNetwork === undefined ? {} : { 'advertise-address': `${privateNetwork}.0.1` }),
        ...flags,
      });
    const server = new ApiServer(`https://${address}:${secure}`, folder, assets, token, etcd, startKube);
    try {
      await server.#untilReady();
    } catch (error) {
      server.stop();
      throw error;
    }
    return server;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The API server dies and another one starts in its place; etcd keeps what there is. */
  async restart(): Promise<void> {
    await this.kill();
    this.#kube = this.#startKube();
    await this.#untilReady();
  }

  async kill(): Promise<void> {
    if (this.#kube.signalCode !== null) return;
    const exited = once(this.#kube, 'exit');
    this.#kube.kill('SIGKILL');
    await exited;
  }

  /** It accepts connections and answers none, until it is woken. */
  freeze(): void {
    this.#kube.kill('SIGSTOP');
  }

  wake(): void {
    this.#kube.kill('SIGCONT');
  }

  /** A token of a service account, as the kubelet would mount it. */
  async tokenOf(namespace: string, serviceAccount: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const { status, body } = await this.call('POST', path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 7200 },
    });
    const { token } = (body['status'] ?? {}) as { readonly token?: string };
    if (token === undefined) throw new Error(`no token: ${status} ${JSON.stringify(body)}`);
    return token;
  }

  /** SIGKILL: on SIGTERM the API server would wait half a minute for its watches. */
  stop(): void {
    for (const child of [this.#kube, this.#etcd]) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Runs kubectl as an administrator, with `input` on its standard input; rejects with its words when it fails. */
  async kubectl(args: readonly string[], input = ''): Promise<string> {
    const access = ['--server', this.url, '--certificate-authority', this.caFile, '--token', this.adminToken];
    const child = spawn(join(this.#assets, 'kubectl'), [...access, ...args], {
      // `kubectl diff` calls another program.
      env: { HOME: this.#folder, PATH: process.env['PATH'] },
    });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${errors}${output}`);
    return output;
  }

  /** One call of the API, as an administrator unless `token` is another's. */
  call(
    method: string,
    path: string,
    body?: unknown,
    { token = this.adminToken, contentType = 'application/json' } = {},
  ): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, this.url),
        {
          method,
          ca: readFileSync(this.caFile),
          headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (piece: string) => (text += piece));
          response.on('end', () => {
            const isJson = text.startsWith('{');
            const parsed: unknown = isJson ? JSON.parse(text) : { text };
            resolve({ status: response.statusCode ?? 0, body: parsed as Record<string, unknown> });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** What service accounts' tokens are signed with. */
  get serviceAccountKeyFile(): string {
    return join(this.#folder, 'sa.key');
  }

  /** What the API server signed itself with. */
  get caFile(): string {
    return join(this.#folder, 'certs', 'apiserver.crt');
  }

  async #untilReady(): Promise<void> {
    for (let attempt = 0; attempt < 600; attempt++) {
      for (const child of [this.#kube, this.#etcd])
        if (child.exitCode !== null) throw new Error(`${child.spawnfile} exited with ${child.exitCode}`);
      try {
        const { status } = await this.call('GET', '/readyz');
        if (status === 200) return;
      } catch {
        // Not listening yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the API server is not ready after a minute');
  }
}
