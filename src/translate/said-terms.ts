// The terms on which references want a Service port to be spoken to, for as long as somebody refers so.
import type { Upstream } from '#model/route-model.ts';
import { plainId } from './backend-tls.ts';

/** In the model. */
export function termsBytes(tls: Upstream['tls']): number {
  return Buffer.byteLength(JSON.stringify(tls));
}

export class SaidTerms {
  bytes = 0;
  readonly #terms = new Map<string, { readonly tls: Upstream['tls']; count: number }>();
  readonly #byPlainId = new Map<string, Set<string>>();

  get(id: string): Upstream['tls'] | undefined {
    return this.#terms.get(id)?.tls;
  }

  /** The upstreams of the same Service port. */
  of(plain: string): Iterable<string> {
    return this.#byPlainId.get(plain) ?? [];
  }

  count(id: string, tls: Upstream['tls'], by: number): void {
    const known = this.#terms.get(id);
    const count = (known?.count ?? 0) + by;
    const plain = plainId(id);
    if (count > 0) {
      this.#terms.set(id, { tls, count });
      if (known !== undefined) return;
      this.bytes += termsBytes(tls);
      const others = this.#byPlainId.get(plain);
      if (others === undefined) this.#byPlainId.set(plain, new Set([id]));
      else others.add(id);
      return;
    }
    this.bytes -= termsBytes(tls);
    this.#terms.delete(id);
    const others = this.#byPlainId.get(plain);
    others?.delete(id);
    if (others?.size === 0) this.#byPlainId.delete(plain);
  }
}
