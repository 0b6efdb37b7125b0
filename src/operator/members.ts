// Which data-plane pods have to prove that they serve a revision.
import { FieldReader } from '#api/field-reader.ts';
import { metaText, readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { adminPortName, adminPortsAnnotation } from '#model/wire-names.ts';

export interface Candidate {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly node: string;
  /** Of its admin port: `http://10.0.0.7:9901`. Of several one is its own, and another pod of the node may have the others. */
  readonly urls: readonly string[];
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
    const ports = adminPorts(spec, metaText(pod, 'annotations', adminPortsAnnotation));
    if (isTerminating || address === '' || ports.length === 0) return [];
    const host = address.includes(':') ? `[${address}]` : address;
    const counts = isReady(pod) && readyNodes?.has(node) !== false;
    const urls = ports.map((port) => `http://${host}:${port}`);
    return [{ name, namespace, uid, node, urls, counts }];
  });
}

function isReady(object: KubernetesObject): boolean {
  const status = new FieldReader(object['status'] ?? {}, 'status', []);
  return status
    .objects('conditions', 100)
    .some((condition) => condition.string('type') === 'Ready' && condition.string('status') === 'True');
}

function adminPorts(spec: FieldReader, annotation: string): readonly number[] {
  for (const container of spec.objects('containers', 100))
    for (const port of container.objects('ports', 100))
      if (port.string('name') === adminPortName) {
        const number = port.integer('containerPort', 1, 65_535);
        return number === undefined ? [] : [number];
      }
  return /^[1-9][0-9]{0,4}(,[1-9][0-9]{0,4}){0,3}$/.test(annotation) ? annotation.split(',').map(Number) : [];
}
