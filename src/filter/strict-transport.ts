// Strict-Transport-Security (RFC 6797): what the responses of a host say to browsers that came with TLS.
import type { Filter, HeaderChanges as Model } from '#model/filters.ts';
import type { StrictTransport } from '#model/route-model.ts';
import { HeaderChanges } from './header-changes.ts';

type Said = Extract<StrictTransport, { readonly kind: 'Said' }>;

const fieldName = 'Strict-Transport-Security';
const nothing: Model = { remove: [], set: [], add: [] };

/**
 * What a rule does to the fields of its responses, and this field as the host has it: in place of what a backend or the rule
 * says there.
 */
export function secureResponseHeaders(filters: readonly Filter[], said: Said): HeaderChanges {
  const { remove, set, add } = filters.find((filter) => filter.kind === 'ResponseHeaders') ?? nothing;
  const others = (fields: Model['set']): Model['set'] =>
    fields.filter(({ name }) => name.toLowerCase() !== fieldName.toLowerCase());
  return new HeaderChanges({
    remove,
    set: [...others(set), { name: fieldName, value: fieldValue(said) }],
    add: others(add),
  });
}

/** RFC 6797 6.1. */
function fieldValue({ maxAgeSeconds, includeSubdomains, preload }: Said): string {
  return `max-age=${maxAgeSeconds}${includeSubdomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;
}
