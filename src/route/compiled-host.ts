// The routes of one host, indexed by path: a Map for exact paths, one for prefixes, a list for expressions.
import { createHash } from 'node:crypto';
import type { HeaderChanges } from '#filter/header-changes.ts';
import { secureResponseHeaders } from '#filter/strict-transport.ts';
import { isChallenge, isForChallenges } from '#model/request-path.ts';
import { plainTls } from '#model/plain-terms.ts';
import { hostKey } from '#model/route-model.ts';
import type { ClientValidation, PathPolicy, Plaintext, VirtualHost } from '#model/route-model.ts';
import { Candidate } from './candidate.ts';
import { CompiledRoute } from './compiled-route.ts';
import type { MatchRequest } from './match-request.ts';
import { comparePrecedence } from './precedence.ts';

type TlsIdentity = Pick<VirtualHost, 'tlsMode' | 'plaintext' | 'minTlsVersion' | 'certificates'>;

export class CompiledHost {
  readonly key: string;
  readonly source: VirtualHost;
  readonly pathPolicy: PathPolicy;
  /** What a connection must have been made for to carry its requests. */
  readonly tlsKey: string;
  /** Whose certificates of clients are believed, and whether one is a must; empty: none is asked for. */
  readonly validationKey: string;
  /** What is done to the fields of responses with TLS that no rule has a say in. */
  readonly secureResponseHeaders: HeaderChanges | undefined;
  /** The rule that takes whole connections: backends end their TLS. */
  readonly passthrough: CompiledRoute | undefined;
  /** In order of precedence. */
  readonly candidates: readonly Candidate[];
  readonly #exact = new Map<string, Candidate[]>();
  readonly #prefix = new Map<string, Candidate[]>();
  readonly #expressions: Candidate[] = [];

  /** Throws for an expression that does not compile; translation lets none through. */
  constructor(host: VirtualHost) {
    this.key = hostKey(host.pattern);
    this.source = host;
    this.pathPolicy = host.pathPolicy;
    this.validationKey = validationKeyOf(host.clientValidation);
    this.tlsKey = tlsKeyOf(host, this.validationKey);
    const { strictTransport } = host;
    this.secureResponseHeaders =
      strictTransport.kind === 'Unsaid' ? undefined : secureResponseHeaders([], strictTransport);
    const candidates: Candidate[] = [];
    let passthrough: CompiledRoute | undefined;
    for (const rule of host.rules) {
      const route = new CompiledRoute(rule, strictTransport);
      if (host.tlsMode === 'Passthrough' && rule.matches.length === 0) passthrough ??= route;
      for (const match of rule.matches) candidates.push(new Candidate(match, route, candidates.length));
    }
    this.passthrough = passthrough;
    this.candidates = candidates.sort(comparePrecedence);
    for (const candidate of this.candidates) this.#index(candidate);
  }

  /** It has nothing to do with TLS: where there is a default certificate, that is its own. */
  get hasDefaultTls(): boolean {
    return this.tlsKey === defaultTlsKey;
  }

  /** Whether a certificate of the client is a must, which without TLS nobody can show; not so for challenges. */
  isClosedWithoutCertificate(path: string): boolean {
    return this.#isCertificateMust && !isChallenge(path);
  }

  /** The same for the rule that takes a challenge: one that takes other paths as well is not there for everybody. */
  isRuleClosedWithoutCertificate({ match: { path } }: Candidate): boolean {
    const isOpen = path.kind !== 'RegularExpression' && isForChallenges(path.value);
    return this.#isCertificateMust && !isOpen;
  }

  get #isCertificateMust(): boolean {
    const { clientValidation } = this.source;
    return clientValidation.kind === 'Asked' && clientValidation.mode === 'AllowValidOnly';
  }

  /** What a request for this path, in normal form, gets without TLS. */
  plaintextFor(path: string): Plaintext {
    const { plaintext } = this.source;
    return plaintext === 'Serve' || isChallenge(path) ? 'Serve' : plaintext;
  }

  /** The preferred candidate that the request fits. Allocates nothing but what header and query conditions need. */
  match(request: MatchRequest): Candidate | undefined {
    const exact = this.#exact.get(request.path);
    if (exact !== undefined) {
      const found = firstFit(exact, request);
      if (found !== undefined) return found;
    }
    return this.#matchPrefix(request) ?? this.#matchExpression(request);
  }

  /** Walks back from the whole path by segments: /a/b/c, /a/b, /a, /. */
  #matchPrefix(request: MatchRequest): Candidate | undefined {
    if (this.#prefix.size === 0) return undefined;
    let prefix = request.path;
    while (prefix.length > 1) {
      const candidates = this.#prefix.get(prefix);
      if (candidates !== undefined) {
        const found = firstFit(candidates, request);
        if (found !== undefined) return found;
      }
      const slash = prefix.lastIndexOf('/');
      if (slash <= 0) break;
      prefix = prefix.slice(0, slash);
    }
    const root = this.#prefix.get('/');
    return root === undefined ? undefined : firstFit(root, request);
  }

  #matchExpression(request: MatchRequest): Candidate | undefined {
    for (const candidate of this.#expressions)
      if (candidate.fitsPath(request.path) && candidate.fitsBesidesPath(request)) return candidate;
    return undefined;
  }

  #index(candidate: Candidate): void {
    const { path } = candidate.match;
    if (path.kind === 'RegularExpression') {
      this.#expressions.push(candidate);
      return;
    }
    const index = path.kind === 'Exact' ? this.#exact : this.#prefix;
    const found = index.get(path.value);
    if (found === undefined) index.set(path.value, [candidate]);
    else found.push(candidate);
  }
}

/** Of connections with the default certificate: those of hosts without any. */
export const defaultTlsKey = tlsKeyOf({ ...plainTls, plaintext: 'Serve', certificates: [] }, '');

/** What is proved to a client, and what is asked of it. */
function tlsKeyOf(
  { tlsMode, plaintext, certificates, minTlsVersion }: TlsIdentity,
  validationKey: string,
): string {
  if (tlsMode === 'Passthrough') return 'Passthrough';
  // It wants certificates of its own, which are not there.
  if (certificates.length === 0 && plaintext !== 'Serve') return 'None';
  return `${minTlsVersion} ${validationKey} ${certificates.join(' ')}`;
}

function validationKeyOf(validation: ClientValidation): string {
  if (validation.kind === 'None') return '';
  return `${validation.mode} ${createHash('sha256').update(validation.authorities).digest('hex')}`;
}

function firstFit(candidates: readonly Candidate[], request: MatchRequest): Candidate | undefined {
  for (let index = 0; index < candidates.length; index++)
    if (candidates[index]!.fitsBesidesPath(request)) return candidates[index];
  return undefined;
}
