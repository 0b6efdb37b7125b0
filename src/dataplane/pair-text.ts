// A certificate and its key as a text for shared memory. It is never logged.
import type { Certificate } from '#model/route-model.ts';
import type { KeyPair } from '#transport/secure-transport.ts';

export interface NamedPair extends KeyPair {
  readonly dnsNames: readonly string[];
}

export function writePair({ chain, key, dnsNames }: Pick<Certificate, 'chain' | 'key' | 'dnsNames'>): string {
  return JSON.stringify([chain, key.reveal(), dnsNames]);
}

export function readPair(text: string): NamedPair {
  const [chain, key, dnsNames] = JSON.parse(text) as [string, string, string[]];
  return { chain, key, dnsNames };
}
