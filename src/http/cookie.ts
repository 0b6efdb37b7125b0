// Cookies of a request (RFC 6265 4.2): found by name, taken as they are.

/** The value of the first cookie of that name; undefined without one. `cookies`: the value of Cookie. */
export function cookieValue(cookies: string | undefined, name: string): string | undefined {
  return cookieValues(cookies, name, 1)[0];
}

/** Of all cookies of that name, as many as `most`: each path and each parent domain may have one. */
export function cookieValues(cookies: string | undefined, name: string, most: number): readonly string[] {
  const values: string[] = [];
  if (cookies === undefined) return values;
  for (let start = 0; start < cookies.length && values.length < most;) {
    const semicolon = cookies.indexOf(';', start);
    const end = semicolon < 0 ? cookies.length : semicolon;
    let at = start;
    while (at < end && cookies.charCodeAt(at) <= space) at++;
    if (cookies.startsWith(name, at) && cookies.charCodeAt(at + name.length) === equals)
      values.push(cookies.slice(at + name.length + 1, end).trim());
    start = end + 1;
  }
  return values;
}

const space = 32;
const equals = 61;
