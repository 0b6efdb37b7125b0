// A bundle by itself -> its model: what a reader that has seen nothing before makes of it.
import type { Bundle } from './bundle.ts';
import type { ChunkContent, Refused } from './chunk-reader.ts';
import type { Remains } from './held-chunks.ts';
import { ModelReader } from './model-reader.ts';
import { keysOf, referencesOf } from './references.ts';
import type { References } from './references.ts';
import { hostKey } from './route-model.ts';
import type { RouteModel } from './route-model.ts';
import { compareText } from './text-order.ts';

export type Decoded = { readonly kind: 'Decoded'; readonly model: RouteModel } | Refused;

/** Total: any bundle, however broken, gives a model that encode could have made, sorted by key, or a refusal. */
export function decode(bundle: Bundle): Decoded {
  const read = new ModelReader({
    keep: (content) => ({ kind: 'Kept', value: new Whole(content) }),
    forget: () => {},
  }).read(bundle);
  if (read.kind === 'Refused') return read;
  return { kind: 'Decoded', model: modelOf(read.added.map(({ value }) => value.content)) };
}

/** A chunk of which everything remains. */
class Whole implements Remains {
  readonly content: ChunkContent;

  constructor(content: ChunkContent) {
    this.content = content;
  }

  keys(): readonly string[] {
    return keysOf(this.content);
  }

  references(): readonly References[] {
    return referencesOf(this.content);
  }
}

function modelOf(contents: readonly ChunkContent[]): RouteModel {
  const model = {
    zones: contents.flatMap((content) => (content.kind === 'zones' ? content.zones : [])),
    hosts: contents.flatMap((content) => (content.kind === 'hosts' ? content.hosts : [])),
    upstreams: contents.flatMap((content) => (content.kind === 'upstreams' ? content.upstreams : [])),
    certificates: contents.flatMap((content) =>
      content.kind === 'certificates' ? content.certificates : [],
    ),
    keys: contents.flatMap((content) => (content.kind === 'keys' ? content.keys : [])),
  };
  model.zones.sort((a, b) => compareText(a.node, b.node));
  model.hosts.sort((a, b) => compareText(hostKey(a.pattern), hostKey(b.pattern)));
  model.upstreams.sort((a, b) => compareText(a.id, b.id));
  model.certificates.sort((a, b) => compareText(a.id, b.id));
  const settings = contents.find((content) => content.kind === 'settings');
  if (settings === undefined) throw new Error('a reader lets no model without settings through');
  return { settings: settings.settings, ...model };
}
