// One call by the transport of a pod, in a process of its own, so that it runs on either runtime: pod-call.ts SERVER FOLDER.
// Prints the status, or why there is none.
import { PodTransport } from '#kube/pod-transport.ts';

const [server = '', folder = ''] = process.argv.slice(2);
const transport = new PodTransport(server, folder);
try {
  const { status } = await transport.send({
    method: 'GET',
    path: '/version',
    headers: {},
    body: undefined,
    signal: AbortSignal.timeout(10_000),
  });
  process.stdout.write(`status ${status}\n`);
} catch (error) {
  process.stdout.write(`refused ${(error as { code?: string }).code ?? String(error)}\n`);
}
transport.close();
