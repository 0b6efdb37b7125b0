// The one normal form of a request path: what routes are written in, what is matched and what backends receive.
//
// RFC 3986 6.2.2: dot segments resolved, percent-encoded unreserved characters decoded, other escapes upper-case.
// Whatever backends are known to disagree about is refused unless the host's policy says otherwise.
import type { PathPolicy } from './route-model.ts';

/** RFC 8555 8.3: a token is of the base64url alphabet. */
const challenge = /^\/\.well-known\/acme-challenge\/[A-Za-z0-9_-]+$/;

const challenges = '/.well-known/acme-challenge';

/** Whether the path is that of a challenge of ACME, which comes in plain HTTP, before there is a certificate. */
export function isChallenge(path: string): boolean {
  return challenge.test(path);
}

/** Whether a path of a match, which is no expression, is met by nothing but such paths. */
export function isForChallenges(path: string): boolean {
  return path === challenges || path.startsWith(`${challenges}/`);
}

export const strictPathPolicy: PathPolicy = {
  encodedSlash: 'Reject',
  mergeSlashes: 'Reject',
  backslash: 'Reject',
};

export type NormalPath =
  | { readonly kind: 'Normal'; readonly path: string }
  | { readonly kind: 'Refused'; readonly message: string };

/** A path that has nothing to normalise: segments of unreserved and sub-delimiter characters that do not start with a dot. */
const plain = /^(?:\/(?![./])[A-Za-z0-9\-._~!$&'()*+,;=:@]*)+$/;
const doubtful = /\.\.;/;
const unreserved = /[A-Za-z0-9\-._~]/;

/** `path` starts with a slash and holds neither `?` nor `#`. */
export function normalizePath(path: string, policy: PathPolicy): NormalPath {
  if (path === '/' || (plain.test(path) && !doubtful.test(path))) return { kind: 'Normal', path };
  return normalizeDoubtful(path, policy);
}

function normalizeDoubtful(path: string, policy: PathPolicy): NormalPath {
  if (!path.startsWith('/')) return refused('it does not start with /');
  let decoded = '';
  for (let at = 0; at < path.length; at++) {
    const character = path[at] ?? '';
    if (character === '\\') {
      if (policy.backslash === 'Reject') return refused('it holds a backslash');
      decoded += policy.backslash === 'Decode' ? '/' : '\\';
    } else if (character === '%') {
      const hex = path.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return refused('it holds a % without two hex digits');
      const fault = escapeFault(hex.toUpperCase(), policy);
      if (fault !== undefined) return refused(fault);
      decoded += decodeEscape(hex.toUpperCase(), policy);
      at += 2;
    } else if (character < '!' || character > '~' || character === '#' || character === '?') {
      return refused('it holds a character that must be percent-encoded');
    } else decoded += character;
  }
  if (doubtful.test(decoded)) return refused('it holds ..;');
  if (decoded.includes('//')) {
    if (policy.mergeSlashes === 'Reject') return refused('it holds //');
    if (policy.mergeSlashes === 'Decode') decoded = decoded.replaceAll(/\/{2,}/g, '/');
  }
  const resolved = resolveDotSegments(decoded);
  // Resolving never brings two slashes together unless an empty segment was kept on purpose.
  return { kind: 'Normal', path: resolved };
}

function escapeFault(hex: string, policy: PathPolicy): string | undefined {
  if (hex === '00') return 'it holds %00';
  if (hex === '2F' && policy.encodedSlash === 'Reject') return 'it holds %2F';
  if (hex === '5C' && policy.backslash === 'Reject') return 'it holds %5C';
  return undefined;
}

function decodeEscape(hex: string, policy: PathPolicy): string {
  if (hex === '2F' && policy.encodedSlash === 'Decode') return '/';
  if (hex === '5C' && policy.backslash === 'Decode') return '/';
  const character = String.fromCharCode(Number.parseInt(hex, 16));
  return unreserved.test(character) ? character : `%${hex}`;
}

/** RFC 3986 5.2.4 for a path that starts with a slash; `..` at the root stays at the root. */
function resolveDotSegments(path: string): string {
  if (!path.includes('/.')) return path;
  const segments = path.slice(1).split('/');
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '.' || segment === '..') {
      if (segment === '..') kept.pop();
      if (isLast) kept.push('');
    } else kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

function refused(message: string): NormalPath {
  return { kind: 'Refused', message };
}
