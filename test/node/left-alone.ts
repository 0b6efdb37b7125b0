// A cluster of one node with a running pod, left alone: for the test that kills it. Says `ready` and waits for its end.
import { NodeCluster } from './node-cluster.ts';
import { deployment, namespace } from './workloads.ts';

const cluster = await NodeCluster.start({ nodes: 1 });
await cluster.apply(namespace('shop', 'restricted'), deployment({ name: 'shop', namespace: 'shop' }, 1));
await cluster.kubectl(['-n', 'shop', 'rollout', 'status', 'deployment/shop', '--timeout=60s']);
process.stdout.write('ready\n');
setInterval(() => undefined, 60_000);
