// Which endpoint takes the next request.
import type { LoadBalancing } from '#model/route-model.ts';
import type { Endpoint } from './endpoint.ts';

/** `candidates` is not empty. `turn` counts the picks of this upstream. */
export function pickEndpoint(
  policy: LoadBalancing,
  candidates: readonly Endpoint[],
  turn: number,
  random: () => number,
): Endpoint {
  switch (policy) {
    case 'RoundRobin':
      return candidates[turn % candidates.length]!;
    case 'LeastRequests':
      return leastOfTwo(candidates, random);
  }
}

/**
 * Power of two choices: the less busy of two random ones. Nearly as even as looking at all, and many proxies that
 * each see only their own requests do not all run to the same endpoint.
 */
function leastOfTwo(candidates: readonly Endpoint[], random: () => number): Endpoint {
  const count = candidates.length;
  if (count === 1) return candidates[0]!;
  const first = Math.floor(random() * count);
  const second = (first + 1 + Math.floor(random() * (count - 1))) % count;
  const a = candidates[first]!;
  const b = candidates[second]!;
  return b.activeRequests < a.activeRequests ? b : a;
}

/** So that a new endpoint gets something in any case: it is never known to be warm otherwise. */
const leastShare = 0.05;
const mostDraws = 8;

/** As pickEndpoint, but one that has been there for less than `windowMs` takes its turn only as often as it is old. */
export function pickWarm(
  policy: LoadBalancing,
  candidates: readonly Endpoint[],
  turn: number,
  random: () => number,
  windowMs: number,
  nowMs: number,
): Endpoint {
  let picked = pickEndpoint(policy, candidates, turn, random);
  for (let draw = 1; draw < mostDraws; draw++) {
    const share = Math.max(leastShare, (nowMs - picked.sinceMs) / windowMs);
    if (share >= 1 || random() < share) break;
    picked = pickEndpoint(policy, candidates, turn + draw, random);
  }
  return picked;
}
