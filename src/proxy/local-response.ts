// Responses of our own: faults, redirects, direct responses.
import { faultOf } from '#http/fault.ts';
import type { FaultCode } from '#http/fault.ts';
import { statusText } from '#http/status-text.ts';
import type { Answer } from '#filter/rule-filters.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import { locationOf } from '#filter/request-redirect.ts';
import type { RedirectedRequest } from '#filter/request-redirect.ts';
import type { HeaderField } from '#model/filters.ts';

export interface LocalResponse {
  readonly status: number;
  /** Besides those that every response of ours has. */
  readonly fields: readonly HeaderField[];
  readonly body: string;
  /** The connection ends with it. */
  readonly closes: boolean;
  /** What the rule does to its fields. */
  readonly changes: HeaderChanges | undefined;
}

/** What `OPTIONS *` gets: it asks about the server itself. */
export const serverOptions: LocalResponse = {
  status: 200,
  fields: [],
  body: '',
  closes: false,
  changes: undefined,
};

const faultResponses = new Map<FaultCode, LocalResponse>();

/** The fault in one header, and in words for whoever reads the body. */
export function faultResponse(code: FaultCode): LocalResponse {
  const known = faultResponses.get(code);
  if (known !== undefined) return known;
  const { status, text, closes } = faultOf(code);
  const fields = [
    { name: 'Content-Type', value: 'text/plain; charset=utf-8' },
    { name: 'X-Flint-Fault', value: code },
    { name: 'Cache-Control', value: 'no-store' },
  ];
  if (status === 405) fields.push({ name: 'Allow', value: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' });
  if (status === 503) fields.push({ name: 'Retry-After', value: '1' });
  const body = `${status} ${statusText(status)}: ${text} (${code})\n`;
  const response: LocalResponse = { status, fields, body, closes, changes: undefined };
  faultResponses.set(code, response);
  return response;
}

export function withChanges(response: LocalResponse, changes: HeaderChanges | undefined): LocalResponse {
  return changes === undefined ? response : { ...response, changes };
}

const toHttps = {
  kind: 'RequestRedirect',
  scheme: 'https',
  hostname: { kind: 'SameHost' },
  path: { kind: 'SamePath' },
  status: 308,
} as const;

/** To the same with TLS; `port` is where clients find it. */
export function upgradeResponse(
  { authority, path, query }: Pick<RedirectedRequest, 'authority' | 'path' | 'query'>,
  port: number,
): LocalResponse {
  return answerOf({ ...toHttps, port }, { scheme: 'http', authority, path, query }, undefined);
}

/** What a rule answers by itself. */
export function answerOf(
  answer: Answer,
  request: RedirectedRequest,
  changes: HeaderChanges | undefined,
): LocalResponse {
  switch (answer.kind) {
    case 'RequestRedirect': {
      const fields = [{ name: 'Location', value: locationOf(answer, request) }];
      return { status: answer.status, fields, body: '', closes: false, changes };
    }
    case 'DirectResponse': {
      const { status, contentType, body } = answer;
      const fields = body === '' ? [] : [{ name: 'Content-Type', value: contentType }];
      return { status, fields, body, closes: false, changes };
    }
  }
}
