// Where the data plane is reached from outside: what DNS records should point at, in the status of every object.
//
//   given by a flag --> those, and nothing else
//   a Service -------> its load balancer's addresses
//   neither ---------> the addresses of the nodes that data-plane pods serve on
//
// A change rewrites every status, and DNS follows it. So what comes is believed when it has stayed for a moment, what goes
// when it has been gone, while others were there, for as long as a rolling update takes to bring a pod back, and a leader
// that takes over begins with what is stored.
import { FieldReader } from '#api/field-reader.ts';
import { familyOf } from '#api/ip-address.ts';
import { readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { compareText } from '#model/text-order.ts';
import type { Candidate } from './members.ts';

export interface Address {
  readonly type: 'IPAddress' | 'Hostname';
  readonly value: string;
}

export interface AddressTimes {
  readonly newMs: number;
  readonly goneMs: number;
}

const defaultTimes: AddressTimes = { newMs: 2000, goneMs: 120_000 };
/** As many as a status holds. */
const largestNumber = 16;

export class Addresses {
  /** What every status should say; the same list for as long as it says the same. */
  current: readonly Address[] = [];
  readonly #times: AddressTimes;
  readonly #seen = new Map<string, Seen>();
  #observedMs = 0;
  #isFirst = true;

  constructor(times: AddressTimes = defaultTimes) {
    this.#times = times;
  }

  /** What statuses say already, before anything has been observed. */
  adopt(stored: readonly Address[], nowMs: number): void {
    for (const address of stored)
      this.#seen.set(address.value, { address, firstMs: -Infinity, lastMs: nowMs });
  }

  /** Whether `current` is another list now. To be called now and then with what is there. */
  observe(present: readonly Address[], nowMs: number): boolean {
    const { newMs, goneMs } = this.#times;
    // Without anything that is there, nothing says that the others are not: an outage must not empty DNS.
    if (present.length === 0) for (const seen of this.#seen.values()) seen.lastMs += nowMs - this.#observedMs;
    this.#observedMs = nowMs;
    if (present.length === 0) return false;
    for (const address of present) {
      const seen = this.#seen.get(address.value);
      // What is there at the start has been there before.
      const firstMs = this.#isFirst ? nowMs - newMs : nowMs;
      if (seen === undefined) this.#seen.set(address.value, { address, firstMs, lastMs: nowMs });
      else seen.lastMs = nowMs;
    }
    this.#isFirst = false;
    for (const [value, { lastMs }] of this.#seen) if (nowMs - lastMs > goneMs) this.#seen.delete(value);
    const next = [...this.#seen.values()]
      .filter(({ firstMs }) => nowMs - firstMs >= newMs)
      // The oldest stay, or nodes that come and go would change the list.
      .sort((a, b) => (a.firstMs === b.firstMs ? byValue(a, b) : a.firstMs - b.firstMs))
      .slice(0, largestNumber)
      .sort(byValue)
      .map(({ address }) => address);
    if (JSON.stringify(next) === JSON.stringify(this.current)) return false;
    this.current = next;
    return true;
  }
}

interface Seen {
  readonly address: Address;
  readonly firstMs: number;
  lastMs: number;
}

function byValue(a: Seen, b: Seen): number {
  return compareText(a.address.value, b.address.value);
}

/** The list that most of these are, of those that name anything. */
export function commonest(lists: readonly (readonly Address[])[]): readonly Address[] {
  const counts = new Map<string, { readonly list: readonly Address[]; count: number }>();
  let most: { readonly list: readonly Address[]; count: number } = { list: [], count: 0 };
  for (const list of lists) {
    if (list.length === 0) continue;
    const text = list.map(({ type, value }) => `${type} ${value}`).join();
    const known = counts.get(text) ?? { list, count: 0 };
    known.count++;
    counts.set(text, known);
    if (known.count > most.count) most = known;
  }
  return most.list;
}

export function addressOf(text: string): Address {
  return { type: familyOf(text) === undefined ? 'Hostname' : 'IPAddress', value: text };
}

/** What its load balancer says. */
export function addressesOfService(service: KubernetesObject | undefined): readonly Address[] {
  if (service === undefined) return [];
  const status = new FieldReader(service['status'] ?? {}, 'status', []);
  const ingress = status.object('loadBalancer')?.objects('ingress', 100) ?? [];
  return ingress.flatMap((each) => {
    const text = each.string('ip') ?? each.string('hostname');
    return text === undefined || text === '' ? [] : [addressOf(text)];
  });
}

/** Of each node that one of these pods serves on: its external addresses, else its internal ones. */
export function addressesOfNodes(
  pods: readonly Candidate[],
  nodes: readonly KubernetesObject[],
): readonly Address[] {
  const names = new Set(pods.flatMap(({ counts, node }) => (counts ? [node] : [])));
  return nodes.flatMap((node) => {
    if (!names.has(readMeta(node).name)) return [];
    const all = new FieldReader(node['status'] ?? {}, 'status', []).objects('addresses', 100);
    const ofType = (type: string): Address[] =>
      all.flatMap((each) => (each.string('type') === type ? [addressOf(each.string('address') ?? '')] : []));
    const external = ofType('ExternalIP');
    return (external.length > 0 ? external : ofType('InternalIP')).filter(({ value }) => value !== '');
  });
}
