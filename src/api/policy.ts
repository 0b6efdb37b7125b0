// What an object asks of its requests beyond where they go: `policy` of a route, and of a rule in its place.
import type { FieldReader } from './field-reader.ts';
import { isCidr } from './ip-address.ts';

export interface ClientIpPolicy {
  /** CIDR blocks; empty: everyone. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface RequestPolicy {
  /** Bytes; 0 means no limit. */
  readonly maxBodyBytes?: number | undefined;
  readonly clientIp?: ClientIpPolicy | undefined;
}

const mostBlocks = 128;

/** `others` are fields of the policy that somebody else reads. */
export function readRequestPolicy(
  policy: FieldReader | undefined,
  others: readonly string[] = [],
): RequestPolicy {
  policy?.refuseUnknown(['requestBody', 'clientIP', ...others]);
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
  };
}

const size = /^(0|[1-9][0-9]{0,8})(k|M|G|Ki|Mi|Gi)?$/;
const unitBytes: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};

function readSize(body: FieldReader): number {
  const text = body.requiredString('maxSize');
  const [, digits = '', unit = ''] = size.exec(text) ?? [];
  if (digits === '' || (digits === '0' && unit !== ''))
    body.refuse('maxSize', `"${text}" is no size such as 500k or 10Mi`);
  // Beyond what a number counts exactly nobody sends anything.
  return Math.min(Number(digits) * (unitBytes[unit] ?? 1), Number.MAX_SAFE_INTEGER);
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
