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
    // Within the parameter: a search on to the end of the query, once a parameter, would be quadratic.
    const parameter = query.slice(start, end);
    const equals = parameter.indexOf('=');
    if (decode(equals < 0 ? parameter : parameter.slice(0, equals)) === name)
      return equals < 0 ? '' : decode(parameter.slice(equals + 1));
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
