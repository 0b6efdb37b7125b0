// One match of one rule, compiled: whether a request fits it, and what it lacks if not.
import type { Match, NamedMatch } from '#model/route-model.ts';
import type { CompiledRoute } from './compiled-route.ts';
import { compileExpression } from './expression.ts';
import { queryParam } from './match-request.ts';
import type { MatchRequest } from './match-request.ts';

/** The first condition that a request does not meet. */
export type Unmet =
  | { readonly kind: 'Path' }
  | { readonly kind: 'Method'; readonly method: string }
  | { readonly kind: 'Header'; readonly name: string }
  | { readonly kind: 'QueryParam'; readonly name: string };

interface NamedTest {
  readonly name: string;
  fits(value: string): boolean;
}

export class Candidate {
  readonly match: Match;
  readonly route: CompiledRoute;
  /** Its place among the matches of the host, before any is preferred. */
  readonly order: number;
  readonly #method: string;
  readonly #headers: readonly NamedTest[];
  readonly #queryParams: readonly NamedTest[];
  readonly #isPathOnly: boolean;
  readonly #path: (path: string) => boolean;

  constructor(match: Match, route: CompiledRoute, order: number) {
    this.match = match;
    this.route = route;
    this.order = order;
    this.#method = match.method.kind === 'Method' ? match.method.method : '';
    this.#headers = match.headers.map(testOf);
    this.#queryParams = match.queryParams.map(testOf);
    this.#isPathOnly = this.#method === '' && this.#headers.length + this.#queryParams.length === 0;
    this.#path = pathTestOf(match);
  }

  /** Everything but the path, which the index of the host has looked up already. */
  fitsBesidesPath(request: MatchRequest): boolean {
    return this.#isPathOnly || this.#unmetBesidesPath(request) === undefined;
  }

  fitsPath(path: string): boolean {
    return this.#path(path);
  }

  unmet(request: MatchRequest): Unmet | undefined {
    return this.#path(request.path) ? this.#unmetBesidesPath(request) : { kind: 'Path' };
  }

  #unmetBesidesPath(request: MatchRequest): Unmet | undefined {
    if (this.#method !== '' && this.#method !== request.method)
      return { kind: 'Method', method: this.#method };
    for (const header of this.#headers) {
      const value = request.field(header.name);
      if (value === undefined || !header.fits(value)) return { kind: 'Header', name: header.name };
    }
    for (const param of this.#queryParams) {
      const value = queryParam(request.query, param.name);
      if (value === undefined || !param.fits(value)) return { kind: 'QueryParam', name: param.name };
    }
    return undefined;
  }
}

function testOf(match: NamedMatch): NamedTest {
  switch (match.kind) {
    case 'Exact':
      return { name: match.name, fits: (value) => value === match.value };
    case 'RegularExpression':
      return { name: match.name, fits: compileExpression(match.value) };
  }
}

function pathTestOf({ path }: Match): (path: string) => boolean {
  switch (path.kind) {
    case 'Exact':
      return (text) => text === path.value;
    case 'PathPrefix':
      if (path.value === '/') return () => true;
      return (text) =>
        text.startsWith(path.value) && (text.length === path.value.length || text[path.value.length] === '/');
    case 'RegularExpression':
      return compileExpression(path.value);
  }
}
