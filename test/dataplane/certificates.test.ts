// Certificates, as a data plane shows them: what they are for and until when, never a key.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataPlane } from '#dataplane/data-plane.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { encode } from '#model/bundle.ts';
import { createLogger } from '#telemetry/log.ts';
import { certificateOf, keyText, variedModel } from '../model/varied-model.ts';

test('certificates are listed, counted and their ends told, and a key is shown nowhere', async (context) => {
  const dataPlane = new DataPlane({
    http: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
    workers: 1,
    proxy: defaultProxySettings,
    logger: createLogger('silent'),
    writeAccessLog: undefined,
    lookup: async () => [],
  });
  context.after(() => dataPlane.terminate());
  const admin = `http://127.0.0.1:${await dataPlane.startAdmin()}`;
  const page = async (path: string): Promise<string> => {
    const text = await (await fetch(`${admin}${path}`)).text();
    assert.ok(!text.includes('PRIVATE') && !text.includes(keyText.split('\n')[1] ?? ''), path);
    return text;
  };
  assert.deepEqual(JSON.parse(await page('/certificates')), []);
  const certificates = [certificateOf('x/b'), { ...certificateOf('x/a'), notAfter: '2026-05-01T00:00:00Z' }];
  const varied = variedModel();
  const model = {
    ...varied,
    settings: { ...varied.settings, defaultCertificate: { kind: 'None' } as const },
  };
  const hosts = model.hosts.map((host) => ({ ...host, certificates: [] }));
  await dataPlane.apply(encode({ ...model, hosts, certificates }), 1);
  const { chain: _, key: __, ...shown } = certificateOf('x/b');
  assert.deepEqual(JSON.parse(await page('/certificates')), [
    { ...shown, id: 'x/a', notAfter: '2026-05-01T00:00:00Z' },
    { ...shown, id: 'x/b' },
  ]);
  const metrics = await page('/metrics');
  assert.match(metrics, /^flint_table_certificates 2$/m);
  const seconds = Date.parse('2026-05-01T00:00:00Z') / 1000;
  assert.match(
    metrics,
    new RegExp(`^flint_certificate_expiry_timestamp_seconds\\{certificate="x/a"\\} ${seconds}$`, 'm'),
  );
  await page('/revision');
  await dataPlane.apply(encode({ ...model, hosts, certificates: [] }), 2);
  assert.deepEqual(JSON.parse(await page('/certificates')), []);
  assert.doesNotMatch(await page('/metrics'), /flint_certificate_expiry_timestamp_seconds\{/);
});

test('the ends of the first thousand certificates are told: a label must be bounded', async () => {
  const { dataPlaneMetrics } = await import('#telemetry/data-plane-metrics.ts');
  const metric = dataPlaneMetrics.find(({ name }) => name === 'flint_certificate_expiry_timestamp_seconds');
  const certificates = Array.from({ length: 1500 }, (_, index) => ({
    id: `x/${index}`,
    notAfter: `2027-01-01T00:${String(index % 60).padStart(2, '0')}:00Z`,
  }));
  const values = metric?.values({ certificates } as never) ?? [];
  assert.equal(values.length, 1000);
  const told = Math.max(...values.map(({ value }) => value));
  const untold = certificates.filter(({ id }) => !values.some(({ labels }) => labels['certificate'] === id));
  assert.ok(
    untold.every(({ notAfter }) => Date.parse(notAfter) / 1000 >= told),
    'those that end first',
  );
});
