// A model as keyed texts, and what has to be said to turn one such state into another.
import { hostKey } from '#model/route-model.ts';
import type { RouteModel, Settings, Upstream, VirtualHost } from '#model/route-model.ts';

export interface TableState {
  readonly revision: number;
  readonly settings: Settings;
  /** Host key -> JSON of the VirtualHost. */
  readonly hosts: ReadonlyMap<string, string>;
  /** Upstream id -> JSON of the Upstream. */
  readonly upstreams: ReadonlyMap<string, string>;
  /** `namespace/name` of every object that has a rule here. */
  readonly objectIds: ReadonlySet<string>;
}

export function stateOf(model: RouteModel, revision: number): TableState {
  const objectIds = new Set<string>();
  for (const host of model.hosts)
    for (const rule of host.rules) objectIds.add(`${rule.ref.namespace}/${rule.ref.name}`);
  return {
    revision,
    settings: model.settings,
    hosts: new Map(model.hosts.map((host) => [hostKey(host.pattern), textOf(host)])),
    upstreams: new Map(model.upstreams.map((upstream) => [upstream.id, textOf(upstream)])),
    objectIds,
  };
}

/** Decoding keeps the values of chunks that stayed the same, and so do their texts. */
const texts = new WeakMap<object, string>();

function textOf(value: VirtualHost | Upstream): string {
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = JSON.stringify(value);
  texts.set(value, text);
  return text;
}

export interface Piece {
  readonly hosts: readonly string[];
  readonly upstreams: readonly string[];
  readonly removedHosts: readonly string[];
  readonly removedUpstreams: readonly string[];
}

/** Parsing and compiling a piece of this size keeps a worker from its sockets for well under a millisecond. */
const pieceCharacters = 32_768;

type Texts = ReadonlyMap<string, string>;

const nothing: Texts = new Map();

/** The changes from one state to the next, cut into pieces; empty when only settings or nothing changed. */
export function* piecesBetween(from: TableState | undefined, to: TableState): Generator<Piece> {
  let upstreams: string[] = [];
  let hosts: string[] = [];
  let characters = 0;
  const take = (): Piece => {
    const piece = { hosts, upstreams, removedHosts: [], removedUpstreams: [] };
    hosts = [];
    upstreams = [];
    characters = 0;
    return piece;
  };
  for (const text of changed(from?.upstreams ?? nothing, to.upstreams)) {
    upstreams.push(text);
    characters += text.length;
    if (characters >= pieceCharacters) yield take();
  }
  for (const text of changed(from?.hosts ?? nothing, to.hosts)) {
    hosts.push(text);
    characters += text.length;
    if (characters >= pieceCharacters) yield take();
  }
  const removedHosts = removed(from?.hosts ?? nothing, to.hosts);
  const removedUpstreams = removed(from?.upstreams ?? nothing, to.upstreams);
  if (characters > 0 || removedHosts.length + removedUpstreams.length > 0)
    yield { ...take(), removedHosts, removedUpstreams };
}

function* changed(from: Texts, to: Texts): Generator<string> {
  for (const [key, text] of to) if (from.get(key) !== text) yield text;
}

function removed(from: Texts, to: Texts): string[] {
  return [...from.keys()].filter((key) => !to.has(key));
}
