// What a method promises (RFC 9110 9.2).

const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

/** Whether sending it twice does no more than sending it once. TRACE is not served at all. */
export function isIdempotent(method: string): boolean {
  return idempotentMethods.has(method);
}
