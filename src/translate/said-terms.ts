// The terms on which references want the endpoints of a Service port to be treated, for as long as somebody refers so.
import { plainId, termsBytes } from './upstream-terms.ts';
import type { UpstreamTerms } from './upstream-terms.ts';

export class SaidTerms {
  bytes = 0;
  readonly #terms = new Map<string, { readonly terms: UpstreamTerms; count: number }>();
  readonly #byPlainId = new Map<string, Set<string>>();

  get(id: string): UpstreamTerms | undefined {
    return this.#terms.get(id)?.terms;
  }

  /** The upstreams of the same Service port. */
  of(plain: string): Iterable<string> {
    return this.#byPlainId.get(plain) ?? [];
  }

  /** How many say so now. */
  count(id: string, terms: UpstreamTerms, by: number): number {
    const known = this.#terms.get(id);
    const count = (known?.count ?? 0) + by;
    const plain = plainId(id);
    if (count > 0) {
      this.#terms.set(id, { terms, count });
      if (known !== undefined) return count;
      this.bytes += termsBytes(terms);
      const others = this.#byPlainId.get(plain);
      if (others === undefined) this.#byPlainId.set(plain, new Set([id]));
      else others.add(id);
      return count;
    }
    this.bytes -= termsBytes(terms);
    this.#terms.delete(id);
    const others = this.#byPlainId.get(plain);
    others?.delete(id);
    if (others?.size === 0) this.#byPlainId.delete(plain);
    return 0;
  }
}
