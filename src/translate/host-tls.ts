// What the objects of one host say of its TLS -> what holds: for each field the oldest object that says anything has its
// way, and those that say something else are told.
import { canonicalJson } from '#model/canonical-json.ts';
import { plainTls } from '#model/plain-terms.ts';
import type { TlsTerms } from '#model/plain-terms.ts';
import type { Plaintext, VirtualHost } from '#model/route-model.ts';
import type { WantedTls } from './translated-object.ts';

export interface TlsConflict {
  readonly field: string;
  /** The older object, `namespace/name`. */
  readonly winner: string;
}

export class HostTls {
  readonly #plaintext = new OldestWord<Plaintext>('plaintext');
  readonly #minVersion = new OldestWord<TlsTerms['minTlsVersion']>('minVersion');
  readonly #strictTransport = new OldestWord<TlsTerms['strictTransport']>('strictTransportSecurity');
  readonly #clientValidation = new OldestWord<TlsTerms['clientValidation']>('validation');
  readonly mode: TlsTerms['tlsMode'];
  #hasTls = false;

  constructor(mode: TlsTerms['tlsMode']) {
    this.mode = mode;
  }

  /** `wanted` is undefined for an object that has nothing to do with TLS here. Objects come oldest first. */
  add(wanted: WantedTls | undefined, owner: string): readonly TlsConflict[] {
    if (wanted === undefined) return [];
    this.#hasTls = true;
    return [
      ...this.#plaintext.add(wanted.plaintext, owner),
      ...this.#minVersion.add(wanted.minVersion, owner),
      ...this.#strictTransport.add(wanted.strictTransport, owner),
      ...this.#clientValidation.add(wanted.clientValidation, owner),
    ];
  }

  get terms(): TlsTerms & Pick<VirtualHost, 'plaintext'> {
    const clientValidation = this.#clientValidation.said ?? plainTls.clientValidation;
    const isMust = clientValidation.kind === 'Asked' && clientValidation.mode === 'AllowValidOnly';
    const plaintext = this.#plaintext.said ?? (this.#hasTls ? 'Redirect' : 'Serve');
    return {
      // Plain HTTP shows no certificate, whoever wants it served.
      plaintext: isMust && plaintext === 'Serve' ? 'Redirect' : plaintext,
      ...plainTls,
      tlsMode: this.mode,
      minTlsVersion: this.#minVersion.said ?? plainTls.minTlsVersion,
      strictTransport: this.#strictTransport.said ?? plainTls.strictTransport,
      clientValidation,
    };
  }
}

class OldestWord<T> {
  said: T | undefined = undefined;
  readonly #field: string;
  #owner = '';

  constructor(field: string) {
    this.#field = field;
  }

  add(word: T | undefined, owner: string): readonly TlsConflict[] {
    if (word === undefined) return [];
    if (this.said === undefined) {
      this.said = word;
      this.#owner = owner;
    }
    if (canonicalJson(this.said) === canonicalJson(word)) return [];
    return [{ field: this.#field, winner: this.#owner }];
  }
}
