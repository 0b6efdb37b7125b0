// Events: what happened to an object, for `kubectl describe`. Best effort: a lost event costs nothing but itself.
import { microTime } from '#cluster/micro-time.ts';
import { readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { controllerName } from '#api/ingress-class.ts';
import type { ClusterObjects } from '#cluster/objects.ts';

export interface EventRecorderOptions {
  readonly objects: ClusterObjects;
  readonly identity: string;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** The API server takes no longer note. */
const largestNote = 1024;
/** More than this at once are dropped: events must never be what the API server is busy with. */
const largestBacklog = 100;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  #underWay = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(type: 'Normal' | 'Warning', object: KubernetesObject, reason: string, note: string): void {
    if (this.#underWay >= largestBacklog || this.#options.signal.aborted) return;
    this.#underWay++;
    void this.#create(type, object, reason, note).finally(() => {
      this.#underWay--;
    });
  }

  async #create(
    type: 'Normal' | 'Warning',
    object: KubernetesObject,
    reason: string,
    note: string,
  ): Promise<void> {
    const { objects, identity, onError, signal } = this.#options;
    const { namespace, name, uid } = readMeta(object);
    const { apiVersion, kind } = object;
    try {
      await objects.create(
        { groupVersion: '/apis/events.k8s.io/v1', kind: 'Event', plural: 'events', namespace },
        {
          metadata: { generateName: `${name.slice(0, 200)}-` },
          eventTime: microTime(new Date()),
          type,
          reason,
          note: shortened(note),
          action: 'Reconcile',
          reportingController: controllerName,
          reportingInstance: identity.slice(0, 128),
          regarding: { apiVersion, kind, namespace, name, uid },
        },
        signal,
      );
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
  }
}

/** The API server counts bytes. */
function shortened(note: string): string {
  if (Buffer.byteLength(note) <= largestNote) return note;
  // A character that is cut in two is left out.
  const text = Buffer.from(note)
    .subarray(0, largestNote - 3)
    .toString('utf8');
  return `${text.replace(/\uFFFD$/, '')}...`;
}
