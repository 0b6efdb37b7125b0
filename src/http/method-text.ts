// The method of a request as a string, without making one for the methods that nearly all requests have.

const common = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS'].map((text) => ({
  text,
  bytes: Buffer.from(text, 'latin1'),
}));

export function methodText(bytes: Buffer, start: number, end: number): string {
  for (let each = 0; each < common.length; each++) {
    const candidate = common[each]!;
    if (candidate.bytes.length !== end - start) continue;
    let at = 0;
    while (at < candidate.bytes.length && candidate.bytes[at] === bytes[start + at]) at++;
    if (at === candidate.bytes.length) return candidate.text;
  }
  return bytes.toString('latin1', start, end);
}
