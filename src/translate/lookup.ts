// What the translation of one object may ask of others.
import type { AuthorityLookup } from './authorities.ts';
import type { ServiceLookup } from './backends.ts';

export interface Lookup extends ServiceLookup, AuthorityLookup {}
