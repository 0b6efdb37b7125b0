// Highest random weight: everybody who hashes the same key over the same names finds the same one, and when a name comes or
// goes only the keys move that have to (Thaler and Ravishankar, 1998).
//
// There is no table to build or to keep: one multiplication or two for each name at each choice. 10 endpoints take 74 ns,
// 1000 take 3 us, and leaving some out costs nothing.

/** 32 bits, of UTF-16 units: FNV-1a, then mixed, since its high bits depend on few of the text's. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash, 0);
}

/** Two numbers of 32 bits -> one in which every bit depends on all of theirs (the finalizer of MurmurHash3). */
export function mix(key: number, seed: number): number {
  let hash = key ^ Math.imul(seed, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** `candidates` is not empty. */
export function highest<T extends { readonly seed: number }>(candidates: readonly T[], key: number): T {
  let best = candidates[0]!;
  let most = -1;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!;
    const score = mix(key, candidate.seed);
    if (score > most) {
      most = score;
      best = candidate;
    }
  }
  return best;
}

/**
 * The index of the one that owns the key, each in proportion to its weight; -1 when all weights are 0. A weight that grows
 * takes keys over, and no key moves between the others.
 */
export function highestByWeight(
  weighted: readonly { readonly seed: number; readonly weight: number }[],
  key: number,
): number {
  let best = -1;
  let most = -1;
  for (const [index, { seed, weight }] of weighted.entries()) {
    if (weight === 0) continue;
    // Of -w / ln(u) the largest belongs to each with a probability in proportion to w.
    const score = -weight / Math.log((mix(key, seed) + 0.5) / 0x1_0000_0000);
    if (score > most) {
      most = score;
      best = index;
    }
  }
  return best;
}
