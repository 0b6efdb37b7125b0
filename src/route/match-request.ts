// What of a request a route may depend on.

export interface MatchRequest {
  readonly method: string;
  /** In normal form, without the query. */
  readonly path: string;
  /** What follows `?`, still encoded; empty without one. */
  readonly query: string;
  /** The combined value of a field by its lower-case name. */
  field(name: string): string | undefined;
}

/** The first value of a query parameter, decoded as forms are; undefined when the query has none of that name. */
export function queryParam(query: string, name: string): string | undefined {
  let start = 0;
  while (start < query.length) {
    const ampersand = query.indexOf('&', start);
    const end = ampersand < 0 ? query.length : ampersand;
    const equals = query.indexOf('=', start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (decode(query.slice(start, nameEnd)) === name)
      return decode(query.slice(Math.min(nameEnd + 1, end), end));
    start = end + 1;
  }
  return undefined;
}

function decode(text: string): string {
  if (!/[%+]/.test(text)) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Not UTF-8 or not an escape: such a parameter is compared as it was sent.
    return text;
  }
}
