// Which data-plane pods have to prove that they serve a revision.
import { FieldReader } from '#api/field-reader.ts';
import { readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { adminPortName } from '#model/wire-names.ts';

export interface Candidate {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly node: string;
  /** Of its admin port: `http://10.0.0.7:9901`. */
  readonly url: string;
  /** Ready, on a Ready node: it has to prove what it serves. Others are asked only for what they understand. */
  readonly counts: boolean;
}

/** Pods that are not terminating and have an admin port to ask at. `nodes` undefined: nodes cannot be read. */
export function candidatesOf(
  pods: readonly KubernetesObject[],
  nodes: readonly KubernetesObject[] | undefined,
): readonly Candidate[] {
  const readyNodes = nodes && new Set(nodes.filter(isReady).map((node) => readMeta(node).name));
  return pods.flatMap((pod) => {
    const { name, namespace, uid, isTerminating } = readMeta(pod);
    const spec = new FieldReader(pod['spec'] ?? {}, 'spec', []);
    const status = new FieldReader(pod['status'] ?? {}, 'status', []);
    const node = spec.string('nodeName') ?? '';
    const address = status.string('podIP') ?? '';
    const port = adminPort(spec);
    if (isTerminating || address === '' || port === undefined) return [];
    const host = address.includes(':') ? `[${address}]` : address;
    const counts = isReady(pod) && readyNodes?.has(node) !== false;
    return [{ name, namespace, uid, node, url: `http://${host}:${port}`, counts }];
  });
}

function isReady(object: KubernetesObject): boolean {
  const status = new FieldReader(object['status'] ?? {}, 'status', []);
  return status
    .objects('conditions', 100)
    .some((condition) => condition.string('type') === 'Ready' && condition.string('status') === 'True');
}

function adminPort(spec: FieldReader): number | undefined {
  for (const container of spec.objects('containers', 100))
    for (const port of container.objects('ports', 100))
      if (port.string('name') === adminPortName) return port.integer('containerPort', 1, 65_535);
  return undefined;
}
