// One request by HTTP/1.1 and by HTTP/2: the backend is told the same, and the client gets the same answer.
import assert from 'node:assert/strict';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import fc from 'fast-check';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { ask, host, httpBackend, openSession, readAccount, sceneObjects } from './h2-clients.ts';
import type { Account } from './h2-clients.ts';
import { HttpClient } from './http-client.ts';
import { yaml } from './manifests.ts';

const runs = Number(process.env['FLINT_RUNS'] ?? 400);
const accountField = 'x-account';
const statusField = 'x-want-status';
/** New with every request. */
const ownOfEach: ReadonlySet<string> = new Set(['x-request-id']);

interface Request {
  readonly method: string;
  readonly target: string;
  /** Names are there once, with all of their values. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly body: readonly Buffer[] | undefined;
  /** Its length is announced; otherwise it comes in chunks, or frames. */
  readonly hasLength: boolean;
  readonly trailers: Readonly<Record<string, string>> | undefined;
}

const segment = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[a-zA-Z0-9._~!$&'()*+,;=:@-]{1,8}$/) },
  fc.constantFrom(
    '',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '%2f',
    '%5c',
    '%00',
    '%41',
    '%zz',
    '%',
    '..;',
    'a\\b',
    '"',
    '<',
    '|',
    '{',
  ),
);
const query = fc.oneof(fc.constant(''), fc.stringMatching(/^\?[a-zA-Z0-9._~!$&'()*+,;=:@%/?-]{0,12}$/));
const target = fc
  .tuple(fc.array(segment, { maxLength: 5 }), query)
  .map(([segments, search]) => `/${segments.join('/')}${search}`);

const value = fc.oneof(
  fc.stringMatching(/^[!-~]{0,20}$/),
  fc.stringMatching(/^[!-~]{1,6}[ \t]{1,2}[!-~]{1,6}$/),
);
const several = fc.array(value, { minLength: 1, maxLength: 3 });
const one = fc.array(value, { minLength: 1, maxLength: 1 });
/** What neither protocol takes for its own; some are ours to write, or disguised as that. */
const fields = fc
  .array(
    fc.oneof(
      fc.tuple(fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^`|~-]{1,8}$/), several),
      fc.tuple(fc.constantFrom('accept', 'via', 'x-forwarded-for', 'x-forwarded-prefix'), several),
      fc.tuple(
        fc.constantFrom('user-agent', 'authorization', 'cookie', 'content-type', 'x-real-ip', 'x-request-id'),
        one,
      ),
      fc.tuple(fc.constantFrom('x_forwarded_for', 'x_real_ip', 'forwarded', 'x_own'), one),
      fc.tuple(fc.constant(statusField), fc.constantFrom(['200'], ['204'], ['304'], ['404'], ['500'])),
      fc.tuple(fc.constant('te'), fc.constant(['trailers'])),
    ),
    { maxLength: 8 },
  )
  .map((list) => new Map<string, readonly string[]>(list));

const body = fc.array(
  fc
    .oneof(fc.nat(20), fc.nat(3000), fc.constantFrom(16_384, 16_385, 70_000))
    .map((length) => Buffer.alloc(length, 'b')),
  { minLength: 1, maxLength: 4 },
);

const requests: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'DELETE', 'OPTIONS'),
    target,
    fields,
    body: fc.constant(undefined),
    hasLength: fc.constant(false),
    trailers: fc.constant(undefined),
  }),
  fc.record({
    method: fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'),
    target,
    fields,
    body,
    hasLength: fc.constant(true),
    trailers: fc.constant(undefined),
  }),
  fc.record({
    method: fc.constantFrom('POST', 'PUT'),
    target,
    fields,
    body,
    hasLength: fc.constant(false),
    trailers: fc.option(fc.constant({ 'x-trailing': 'value', 'x-more': '' }), { nil: undefined }),
  }),
);

interface Outcome {
  readonly status: number;
  readonly fault: string;
  readonly contentType: string;
  readonly body: string;
  readonly account: Account | undefined;
}

function outcomeOf(status: number, headers: IncomingHttpHeaders, text: string): Outcome {
  const account = headers[accountField];
  const read =
    typeof account === 'string'
      ? (JSON.parse(Buffer.from(account, 'base64url').toString()) as Account)
      : undefined;
  return {
    status,
    fault: String(headers['x-flint-fault'] ?? ''),
    contentType: headers['content-type'] ?? '',
    body: text,
    account:
      read === undefined
        ? undefined
        : { ...read, fields: read.fields.filter(([name]) => !ownOfEach.has(name)) },
  };
}

function lengthOf({ body, hasLength }: Request): Readonly<Record<string, string>> {
  if (!hasLength || body === undefined) return {};
  return { 'content-length': String(body.reduce((sum, piece) => sum + piece.length, 0)) };
}

async function byHttp1(flint: FlintProcess, request: Request): Promise<Outcome> {
  const { method, target, fields, body, hasLength, trailers } = request;
  const client = await HttpClient.open(flint.httpPort);
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`];
  for (const [name, values] of fields) for (const each of values) lines.push(`${name}: ${each}`);
  // HTTP/2 has no Connection, and TE there speaks for itself (RFC 9113 8.2.2).
  if (fields.has('te')) lines.push('Connection: TE');
  for (const [name, each] of Object.entries(lengthOf(request))) lines.push(`${name}: ${each}`);
  const isChunked = body !== undefined && !hasLength;
  if (isChunked) lines.push('Transfer-Encoding: chunked');
  client.send(`${lines.join('\r\n')}\r\n\r\n`);
  for (const piece of body ?? []) {
    const text = piece.toString('latin1');
    if (!isChunked) client.send(text);
    else if (text !== '') client.send(`${text.length.toString(16)}\r\n${text}\r\n`);
  }
  const trailing = Object.entries(trailers ?? {}).map(([name, each]) => `${name}: ${each}\r\n`);
  if (isChunked) client.send(`0\r\n${trailing.join('')}\r\n`);
  try {
    const answer = await client.answer(method);
    return outcomeOf(answer.status, answer.headers, answer.body);
  } finally {
    client.close();
  }
}

async function byHttp2(session: ClientHttp2Session, request: Request): Promise<Outcome> {
  const { method, target, fields, body, trailers } = request;
  const headers: OutgoingHttpHeaders = { ':method': method, ':path': target };
  for (const [name, values] of fields) headers[name] = values.length === 1 ? values[0] : [...values];
  Object.assign(headers, lengthOf(request));
  const answer = await ask(session, {
    headers,
    ...(body === undefined ? {} : { body }),
    ...(trailers === undefined ? {} : { trailers }),
  });
  return outcomeOf(answer.status, answer.headers, answer.body.toString('latin1'));
}

test('what comes by HTTP/2 is served as it is by HTTP/1.1', async (context) => {
  const port = await httpBackend(context, (request, response) => {
    readAccount(request).then(
      (account) => {
        response.setHeader(accountField, Buffer.from(JSON.stringify(account)).toString('base64url'));
        response.setHeader('content-type', 'text/plain');
        response.statusCode = Number(request.headers[statusField] ?? 200);
        response.end(`${account.method} ${account.sha256}`);
      },
      () => {},
    );
  });
  const flint = await startFlint(context, yaml(...sceneObjects([port])), ['--workers', '1']);
  const session = await openSession(flint, 'http');
  context.after(() => session.destroy());
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(requests, async (request) => {
      const [first, second] = await Promise.all([byHttp1(flint, request), byHttp2(session, request)]);
      assert.deepEqual(second, first);
      seen.set(first.status, (seen.get(first.status) ?? 0) + 1);
    }),
    { numRuns: runs },
  );
  context.diagnostic([...seen].map(([status, count]) => `${status}: ${count}`).join(', '));
  assert.ok((seen.get(200) ?? 0) > runs / 10 && (seen.get(400) ?? 0) > 0, 'served and refused alike');
});
