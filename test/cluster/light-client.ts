// Runs inside a runtime: follows the ConfigMaps of one namespace and prints what it knows after each change.
import { ApiClient, ApiError } from '#kube/api-client.ts';
import { ApiSource } from '#kube/api-source.ts';
import { PodTransport } from '#kube/pod-transport.ts';
import { reflect } from '#kube/reflect.ts';

const [server = '', folder = '', namespace = ''] = process.argv.slice(2);
const ending = new AbortController();
const { signal } = ending;
process.on('SIGTERM', () => ending.abort());

const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const client = new ApiClient(new PodTransport(server, folder));
try {
  await client.json({ method: 'GET', path: `/api/v1/namespaces/${namespace}/configmaps/none`, signal });
} catch (error) {
  if (error instanceof ApiError) print(`missing ${error.status} ${error.reason}`);
}
const source = new ApiSource(client, {
  groupVersion: '/api/v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespace,
});
await reflect(source, {
  signal,
  onChange: (all) => {
    const texts = [...all.values()].map((object) => {
      const { text } = object['data'] as { readonly text: string };
      return `${object.metadata.name}=${text}`;
    });
    print(`all ${texts.sort().join(' ')}`);
  },
  onError: () => {},
});
client.close();
