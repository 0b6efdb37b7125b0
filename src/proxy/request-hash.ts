// What tells requests apart where the same ones are to go to the same endpoint.
import { cookieValue } from '#http/cookie.ts';
import type { RequestHead } from '#http/message-head.ts';
import { hashText } from '#model/rendezvous.ts';
import type { UpstreamPolicyOf } from '#model/upstream-policies.ts';
import { queryParam } from '#route/match-request.ts';
import { noHash } from '#upstream/upstream.ts';

/** noHash for a request without that value. */
export function hashOf(
  { source, name }: UpstreamPolicyOf<'ConsistentHash'>,
  { fields }: RequestHead,
  query: string,
  clientAddress: string,
): number {
  const value = valueOf();
  return value === undefined || value === '' ? noHash : hashText(value);

  function valueOf(): string | undefined {
    switch (source) {
      case 'Header':
        return fields.combined(name);
      case 'Cookie':
        return cookieValue(fields.combined('cookie'), name);
      case 'QueryParam':
        return queryParam(query, name);
      case 'ClientAddress':
        return clientAddress;
    }
  }
}
