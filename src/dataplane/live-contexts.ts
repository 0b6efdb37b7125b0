// The TLS contexts of one thread, made when a client asks for a host, and made again when one of its pairs is another one.
import { createHash } from 'node:crypto';
import { plainTls } from '#model/plain-terms.ts';
import { hostKey } from '#model/route-model.ts';
import type { ClientValidation, DefaultCertificate, VirtualHost } from '#model/route-model.ts';
import type { TlsSelection } from '#proxy/serving-table.ts';
import { defaultTlsKey } from '#route/compiled-host.ts';
import type { CompiledHost } from '#route/compiled-host.ts';
import type { ClientTerms, SecureTransport, TlsContext } from '#transport/secure-transport.ts';
import { choosePairs } from './pair-choice.ts';
import { readPair } from './pair-text.ts';
import type { NamedPair } from './pair-text.ts';
import { nowhere } from './slabs.ts';
import type { StagedIndex } from './staged-index.ts';

/** A context takes 35 KB and 0.4 ms. */
const mostContexts = 1024;

const noCertificate: TlsSelection = { kind: 'NoCertificate' };

type ContextPolicy = Pick<VirtualHost, 'pattern' | 'minTlsVersion' | 'clientValidation'>;

const everyHost: ContextPolicy = { pattern: { kind: 'AnyHost' }, ...plainTls };

interface Live {
  /** Where its pairs stand: another version of one stands elsewhere. */
  readonly places: readonly number[];
  readonly context: TlsContext | undefined;
}

export class LiveContexts {
  readonly #index: StagedIndex;
  readonly #transport: SecureTransport;
  readonly #ticketKeys: Buffer;
  /** By host, certificates and policy; the one that was asked for longest ago first. */
  readonly #live = new Map<string, Live>();

  constructor(index: StagedIndex, transport: SecureTransport, ticketKeys: Buffer) {
    this.#index = index;
    this.#transport = transport;
    this.#ticketKeys = ticketKeys;
  }

  /** For clients that name no host, or one that has no TLS of its own; undefined: it is not there. */
  selectDefault(defaultCertificate: DefaultCertificate): TlsSelection | undefined {
    if (defaultCertificate.kind === 'None') return undefined;
    const { certificate } = defaultCertificate;
    const context = this.#contextOf(`default ${certificate}`, [certificate], everyHost);
    if (context === undefined) return undefined;
    return {
      kind: 'Selected',
      context,
      tlsKey: defaultTlsKey,
      minVersion: everyHost.minTlsVersion,
      validationKey: '',
      clients: 'NotAsked',
    };
  }

  /** Connections that are open keep the context that they were made with. */
  select({ key, tlsKey, validationKey, source, passthrough }: CompiledHost): TlsSelection {
    if (passthrough !== undefined) return { kind: 'Passthrough', route: passthrough };
    const name = `${key} ${tlsKey}`;
    const context = this.#contextOf(name, source.certificates, source);
    if (context === undefined) return noCertificate;
    const { minTlsVersion: minVersion, clientValidation } = source;
    return {
      kind: 'Selected',
      context,
      tlsKey,
      minVersion,
      validationKey,
      clients:
        clientValidation.kind === 'None' ? 'NotAsked' : isMust(clientValidation) ? 'Required' : 'Asked',
    };
  }

  #contextOf(name: string, certificates: readonly string[], policy: ContextPolicy): TlsContext | undefined {
    const places = this.#placesOf(certificates);
    const known = this.#live.get(name);
    const isFresh = known !== undefined && isSame(known.places, places);
    if (isFresh) this.#live.delete(name);
    else this.#forget(name);
    const live = isFresh ? known : this.#make(policy, name, places);
    this.#live.set(name, live);
    return live.context;
  }

  #forget(name: string): void {
    const context = this.#live.get(name)?.context;
    this.#live.delete(name);
    if (context !== undefined) this.#transport.releaseContext(context);
  }

  /** Of those that are there: a Secret may be on its way. */
  #placesOf(certificates: readonly string[]): readonly number[] {
    const places: number[] = [];
    for (const id of certificates) {
      const number = this.#index.find(id);
      const place = number < 0 ? nowhere : this.#index.placeOf(number);
      if (place !== nowhere) places.push(place);
    }
    return places;
  }

  #make(policy: ContextPolicy, name: string, places: readonly number[]): Live {
    const { value: oldest } = this.#live.keys().next();
    if (oldest !== undefined && this.#live.size >= mostContexts) this.#forget(oldest);
    const pairs = places.map((place) => readPair(this.#index.textAt(place)));
    return { places, context: pairs.length === 0 ? undefined : this.#create(policy, name, pairs) };
  }

  /** A pair or an authority that the runtime does not take fails the names that it is for, and nobody else's. */
  #create(
    { pattern, minTlsVersion, clientValidation }: ContextPolicy,
    name: string,
    pairs: readonly NamedPair[],
  ): TlsContext | undefined {
    try {
      return this.#transport.createContext({
        pairs: choosePairs(pairs, hostKey(pattern)),
        minVersion: minTlsVersion,
        clients: clientTermsOf(clientValidation),
        sessionScope: createHash('sha256').update(name).digest('base64url').slice(0, 32),
        ticketKeys: this.#ticketKeys,
      });
    } catch {
      return undefined;
    }
  }
}

/** Without any authority nobody is believed, and nobody is let in either: the context is refused. */
function clientTermsOf(validation: ClientValidation): ClientTerms {
  if (validation.kind === 'None') return { kind: 'NotAsked' };
  return { kind: 'Asked', authorities: validation.authorities };
}

function isMust({ mode }: Extract<ClientValidation, { kind: 'Asked' }>): boolean {
  return mode === 'AllowValidOnly';
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((place, index) => place === b[index]);
}
