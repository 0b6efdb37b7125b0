// A renewal under new connections: who was given which certificate, and when the new one was there.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { ApiServer } from '../cluster/api-server.ts';
import { moment } from '../cluster/test-cluster.ts';
import { Handshakes } from './handshakes.ts';
import type { Endpoint } from './handshakes.ts';

/** A Secret that has changed is served by everybody within 2 s, of a machine that has nothing else to do; here, within this. */
const servedWithinMs = 20_000;
/** Whoever has been given the new certificate alone for so long will not be given the old one again. */
const settledAfterMs = 3000;

export interface Renewal {
  readonly api: ApiServer;
  readonly namespace: string;
  /** Of the Certificate and of its Secret. */
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  /** Of connections at once, for each endpoint. */
  readonly lanes?: number;
  /** What to say when no new certificate comes. */
  readonly explain: () => string;
}

interface StoredSecret {
  readonly data?: Readonly<Record<string, string>>;
}

/** What stands in the Secret, PEM. */
export async function certificateOf(
  api: ApiServer,
  namespace: string,
  secret: string,
): Promise<string | undefined> {
  const { body } = await api.call('GET', `/api/v1/namespaces/${namespace}/secrets/${secret}`);
  const certificate = (body as StoredSecret).data?.['tls.crt'];
  return certificate === undefined ? undefined : Buffer.from(certificate, 'base64').toString();
}

/** Renews, and asserts that no handshake fails and that everybody is given the new certificate in time. */
export async function renewUnderHandshakes(context: TestContext, renewal: Renewal): Promise<void> {
  const { api, namespace, name, endpoints, lanes, explain } = renewal;
  const before = await certificateOf(api, namespace, name);
  const loads = endpoints.map((endpoint) => ({
    where: endpoint.host,
    load: new Handshakes(endpoint, lanes),
  }));
  const stop = async (): Promise<void> => {
    await Promise.all(loads.map(({ load }) => load.stop()));
  };
  try {
    await askToRenew(api, namespace, name);
    let unchangedMs = performance.now();
    let after = before;
    for (const endMs = Date.now() + 240_000; after === before;) {
      // It was read after this time.
      const askedMs = performance.now();
      after = await certificateOf(api, namespace, name);
      if (after === before) unchangedMs = askedMs;
      if (Date.now() > endMs) assert.fail(explain());
      // Every look is a new connection, which costs the API server more than all handshakes cost Flint.
      await moment(100);
    }
    const [old, wanted] = [fingerprintOf(before), fingerprintOf(after)];
    const isSettled = ({ done }: Handshakes): boolean => {
      const lastOld = done.findLast(({ fingerprint }) => fingerprint !== wanted);
      const last = done.at(-1);
      return (last?.startedMs ?? 0) > Math.max(lastOld?.startedMs ?? 0, unchangedMs) + settledAfterMs;
    };
    while (
      !loads.every(({ load }) => isSettled(load)) &&
      performance.now() < unchangedMs + servedWithinMs + settledAfterMs
    )
      await moment();
    await stop();
    for (const { where, load } of loads) {
      const { done, failures } = load;
      const first = done.find(({ fingerprint }) => fingerprint === wanted);
      context.diagnostic(
        `${where}: ${done.length} handshakes; the new certificate ${Math.round((first?.endedMs ?? Infinity) - unchangedMs)} ms after the Secret's change at most`,
      );
      assert.deepEqual(failures, [], where);
      assert.ok(isSettled(load), `${where}: the old certificate after ${servedWithinMs} ms`);
      assert.deepEqual(new Set(done.map(({ fingerprint }) => fingerprint)), new Set([old, wanted]), where);
    }
  } finally {
    await stop();
  }
}

function fingerprintOf(certificate = ''): string {
  return new X509Certificate(certificate).fingerprint256;
}

/** As `cmctl renew` asks for it. */
async function askToRenew(api: ApiServer, namespace: string, name: string): Promise<void> {
  const path = `/apis/cert-manager.io/v1/namespaces/${namespace}/certificates/${name}/status`;
  const { body } = await api.call('GET', path);
  const { conditions = [] } = (body['status'] ?? {}) as { readonly conditions?: readonly object[] };
  const issuing = {
    type: 'Issuing',
    status: 'True',
    reason: 'ManuallyTriggered',
    message: 'Certificate re-issuance manually triggered',
    lastTransitionTime: new Date().toISOString(),
  };
  const status = { conditions: [...conditions, issuing] };
  const contentType = 'application/merge-patch+json';
  const answer = await api.call('PATCH', path, { status }, { contentType });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}
