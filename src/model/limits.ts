// How much one object, one host and one chunk may hold; each bound is what the next larger one can carry.

/** The API server stores no ConfigMap above this (1 MiB, all keys and values together). */
export const configMapBytes = 1_048_576;

/** A chunk is one value of a ConfigMap; the rest of the budget is for names and metadata. */
export const chunkBytes = 1_000_000;

/**
 * A bucket above this is split in two, so that a change rewrites little. Endpoints change most often; smaller buckets
 * than this would cost more in a head that names them all than they save.
 */
export const bucketBytes = {
  settings: 65_536,
  zones: 65_536,
  hosts: 24_576,
  upstreams: 24_576,
  certificates: 65_536,
  keys: 65_536,
  claims: 16_384,
} as const;

/** Hosts and upstreams of a whole model, canonical JSON: what a data plane should be able to hold. */
export const modelBytes = 134_217_728;

/** The routes of one host must fit in one chunk, canonical JSON, brackets included. */
export const hostBytes = 900_000;

/** So must the endpoints of one upstream: none takes more than 88 bytes. */
export const upstreamEndpoints = 10_000;
