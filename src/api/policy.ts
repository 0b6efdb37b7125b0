// What an object asks of its requests beyond where they go: `policy` of a route, and of a rule in its place.
import type { FieldReader } from './field-reader.ts';
import { isCidr } from './ip-address.ts';
import { readUpstreamPolicy, upstreamPolicyFields } from './upstream-policy.ts';
import type { UpstreamPolicy } from './upstream-policy.ts';
import { parseSize } from './size.ts';

export interface ClientIpPolicy {
  /** CIDR blocks; empty: everyone. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface RequestPolicy extends UpstreamPolicy {
  /** Bytes; 0 means no limit. */
  readonly maxBodyBytes?: number | undefined;
  readonly clientIp?: ClientIpPolicy | undefined;
  readonly maxConcurrentRequests?: number | undefined;
}

const mostBlocks = 128;

/** `others` are fields of the policy that somebody else reads. */
export function readRequestPolicy(
  policy: FieldReader | undefined,
  others: readonly string[] = [],
): RequestPolicy {
  policy?.refuseUnknown([
    'requestBody',
    'clientIP',
    'maxConcurrentRequests',
    ...upstreamPolicyFields,
    ...others,
  ]);
  const body = policy?.object('requestBody');
  const clientIp = policy?.object('clientIP');
  body?.refuseUnknown(['maxSize']);
  clientIp?.refuseUnknown(['allow', 'deny']);
  return {
    maxBodyBytes: body === undefined ? undefined : readSize(body),
    clientIp:
      clientIp === undefined
        ? undefined
        : { allow: readBlocks(clientIp, 'allow'), deny: readBlocks(clientIp, 'deny') },
    maxConcurrentRequests: policy?.integer('maxConcurrentRequests', 1, 1_000_000),
    ...readUpstreamPolicy(policy),
  };
}

function readSize(body: FieldReader): number {
  const text = body.requiredString('maxSize');
  const bytes = parseSize(text);
  if (bytes === undefined) body.refuse('maxSize', `"${text}" is no size such as 500k or 10Mi`);
  return bytes ?? 0;
}

function readBlocks(policy: FieldReader, key: 'allow' | 'deny'): readonly string[] {
  const blocks = policy.strings(key, mostBlocks);
  for (const [index, block] of blocks.entries()) {
    if (!isCidr(block))
      policy.refuse(`${key}[${index}]`, `"${block}" is no CIDR block such as 10.0.0.0/8 or fd00::/8`);
    else if (blocks.indexOf(block) !== index) policy.refuse(`${key}[${index}]`, `"${block}" stands twice`);
  }
  return blocks;
}
