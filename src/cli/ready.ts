// `flint ready`: whether the data plane of this pod is ready, for a kubelet whose node has two of them: a probe by HTTP might be
// answered by the other one.
import { podField } from '#model/wire-names.ts';
import type { HostPort } from './program.ts';
import { exitCode } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface ReadyOptions {
  readonly admin: HostPort;
  readonly adminSpare?: HostPort;
  readonly podName?: string;
}

const patienceMs = 3000;

/** Without a name whoever has the address is asked. */
export async function ready(options: ReadyOptions, terminal: Terminal): Promise<number> {
  const podName = podNameOf(options);
  const answers: string[] = [];
  for (const address of [options.admin, options.adminSpare]) {
    if (address === undefined) continue;
    const { isReady, said } = await ask(address, podName);
    if (isReady) return exitCode.ok;
    answers.push(said);
  }
  terminal.stderr(`flint: not ready: ${answers.join('; ')}\n`);
  return exitCode.negative;
}

export function podNameOf({
  podName = process.env['FLINT_POD_NAME'],
}: {
  podName?: string;
}): string | undefined {
  return podName === '' ? undefined : podName;
}

async function ask(
  { host, port }: HostPort,
  podName: string | undefined,
): Promise<{ readonly isReady: boolean; readonly said: string }> {
  const query = podName === undefined ? '' : `?pod=${encodeURIComponent(podName)}`;
  const url = `http://${hostInUrl(host)}:${port}/readyz${query}`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs), redirect: 'error' });
    const said = `port ${port} says ${(await response.text()).trim()}`;
    // A pod of an older build answers for anybody.
    const isItself = podName === undefined || response.headers.get(podField) === podName;
    return {
      isReady: response.ok && isItself,
      said: response.ok && !isItself ? `${said}, and not as ${podName}` : said,
    };
  } catch (error) {
    const reason = error instanceof Error ? (error.cause ?? error) : error;
    return {
      isReady: false,
      said: `port ${port}: ${reason instanceof Error ? reason.message : String(reason)}`,
    };
  }
}

/** Of an address to listen at: any address of this machine is as good as the other. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
