// Generates requests of the same small alphabets that generated routes are made of.
import * as fc from 'fast-check';
import type { MatchRequest } from '#route/match-request.ts';
import { requestPath } from '../model/arbitrary-model.ts';

export const hostname = fc.constantFrom(
  'test',
  'a.test',
  'b.a.test',
  'c.b.a.test',
  'd.c.b.a.test',
  'x.test',
  'x.y.a.test',
  'other',
);

const value = fc.constantFrom('1', '2', '12', '');
const fields = fc.dictionary(fc.constantFrom('m', 'n'), value);
const query = fc
  .array(fc.tuple(fc.constantFrom('m', 'n', '%6d', 'o', ''), fc.constantFrom('=1', '=2', '=', '', '=%31')), {
    maxLength: 4,
  })
  .map((params) => params.map(([name, text]) => `${name}${text}`).join('&'));

export function requestOf(
  method: string,
  path: string,
  query = '',
  fields: Readonly<Record<string, string>> = {},
): MatchRequest {
  return { method, path, query, field: (name) => fields[name] };
}

export const matchRequest: fc.Arbitrary<MatchRequest> = fc
  .tuple(fc.constantFrom('GET', 'POST', 'DELETE'), requestPath, query, fields)
  .map((parts) => requestOf(...parts));
