// Keys that nobody gives us: made once, then read back for as long as anything is signed with them.
import { randomBytes } from 'node:crypto';
import type { Rule, SigningKey } from './route-model.ts';
import { SecretText } from './secret-text.ts';

const keyBytes = 32;
export const sessionKeyId: SigningKey['id'] = 'session';

export function newSessionKey(): SigningKey {
  return { id: sessionKeyId, key: new SecretText(randomBytes(keyBytes).toString('base64')) };
}

/** Whether it hands out what is signed with the session key. */
export function hasSessions({ filters }: Pick<Rule, 'filters'>): boolean {
  return filters.some(({ kind }) => kind === 'SessionPersistence');
}
