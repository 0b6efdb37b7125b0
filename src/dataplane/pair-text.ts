// A certificate and its key as a text for shared memory. It is never logged.
import type { Certificate } from '#model/route-model.ts';
import type { KeyPair } from '#transport/secure-transport.ts';

export function writePair({ chain, key }: Pick<Certificate, 'chain' | 'key'>): string {
  return JSON.stringify([chain, key.reveal()]);
}

export function readPair(text: string): KeyPair {
  const [chain, key] = JSON.parse(text) as [string, string];
  return { chain, key };
}
