// sessionPersistence of a rule, in the words of the Gateway API (GEP-1619).
import { readDurationMs } from './duration-field.ts';
import type { FieldReader } from './field-reader.ts';
import { isWrittenByProxy } from './filters.ts';

const types = ['Cookie', 'Header'] as const;
const lifetimes = ['Session', 'Permanent'] as const;

/** A token of RFC 9110 5.6.2: what names a field names a cookie (RFC 6265 4.1.1). */
const tokenName = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,128}$/;

export interface SessionPersistence {
  readonly sessionName?: string | undefined;
  readonly type?: (typeof types)[number] | undefined;
  readonly absoluteTimeoutMs?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  readonly lifetimeType?: (typeof lifetimes)[number] | undefined;
}

export function isTokenName(text: string): boolean {
  return tokenName.test(text);
}

export function readSessionPersistence(session: FieldReader | undefined): SessionPersistence | undefined {
  if (session === undefined) return undefined;
  const type = session.oneOf('type', types);
  const sessionName = session.string('sessionName');
  if (sessionName !== undefined && !tokenName.test(sessionName))
    session.refuse(
      'sessionName',
      `"${sessionName}" is no name of a ${type === 'Header' ? 'field' : 'cookie'}`,
    );
  if (type === 'Header' && sessionName !== undefined && isWrittenByProxy(sessionName))
    session.refuse('sessionName', `"${sessionName}" is written by the proxy itself`);
  if (type === 'Header' && sessionName === undefined)
    session.refuse('sessionName', 'is required for the type Header');
  const cookie = session.object('cookieConfig');
  if (cookie !== undefined && type === 'Header') session.refuse('cookieConfig', 'is for the type Cookie');
  const lifetimeType = cookie?.oneOf('lifetimeType', lifetimes);
  const absoluteTimeoutMs = readDurationMs(session, 'absoluteTimeout', 1000);
  if (lifetimeType === 'Permanent' && absoluteTimeoutMs === undefined)
    session.refuse('absoluteTimeout', 'is required where lifetimeType is Permanent');
  return {
    sessionName,
    type,
    absoluteTimeoutMs,
    idleTimeoutMs: readDurationMs(session, 'idleTimeout', 1000),
    lifetimeType,
  };
}
