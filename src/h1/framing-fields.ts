// The fields of a connection, read the same way in requests and responses.

export interface ConnectionFacts {
  keepAlive: boolean;
  /** Some line said close: it wins over keep-alive, whatever their order (RFC 9112 9.3). */
  closes: boolean;
  minorVersion: number;
  connectionNames: readonly string[];
}

/** The entries of a comma-separated list; only SP and HTAB surround them (RFC 9110 5.6.1). */
export function listOf(value: string): readonly string[] {
  return value.split(',').map((entry) => entry.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
}

/** The fields whose names are never options: a peer cannot have them removed by naming them (RFC 9110 7.6.1). */
const neverNamed: readonly string[] = [
  'close',
  'keep-alive',
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'forwarded',
  'x-real-ip',
];

/** Applies one Connection value: persistence, and the names of fields that end here. */
export function readConnection(facts: ConnectionFacts, value: string): void {
  // Nearly every request that has the field has one of these two values.
  if (value === 'keep-alive' || value === 'Keep-Alive') {
    if (facts.minorVersion === 0) facts.keepAlive = !facts.closes;
    return;
  }
  const options = listOf(value.toLowerCase());
  if (options.includes('close')) facts.closes = true;
  if (facts.closes) facts.keepAlive = false;
  else if (facts.minorVersion === 0 && options.includes('keep-alive')) facts.keepAlive = true;
  const names = options.filter(
    (option) => option !== '' && !neverNamed.includes(option) && !option.startsWith('x-forwarded-'),
  );
  if (names.length > 0) facts.connectionNames = [...facts.connectionNames, ...names];
}
