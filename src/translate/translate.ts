// ClusterView -> RouteModel and Verdicts. Pure and total: the same view gives the same bytes in whatever order its objects
// come, and no input makes it throw.
import type { ObjectRef } from '#api/kubernetes-object.ts';
import { hostKey } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import type { ClusterView, TranslateSettings } from './cluster-view.ts';
import type { Translation } from './translation.ts';
import { Translator } from './translator.ts';

/** One view by itself, with every list sorted by its key. */
export function translate(view: ClusterView, settings: TranslateSettings): Translation {
  const { model, verdicts, certificateRequests, ...rest } = new Translator(settings).translate(view);
  return {
    ...rest,
    model: {
      ...model,
      zones: model.zones.toSorted((a, b) => compareText(a.node, b.node)),
      hosts: model.hosts.toSorted((a, b) => compareText(hostKey(a.pattern), hostKey(b.pattern))),
      upstreams: model.upstreams.toSorted((a, b) => compareText(a.id, b.id)),
      certificates: model.certificates.toSorted((a, b) => compareText(a.id, b.id)),
    },
    verdicts: verdicts.toSorted((a, b) => compareRefs(a.object, b.object)),
    certificateRequests: certificateRequests.toSorted((a, b) => compareRefs(a.object, b.object)),
  };
}

function compareRefs(a: ObjectRef, b: ObjectRef): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name) || compareText(a.kind, b.kind);
}
