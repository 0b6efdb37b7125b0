// The 256-entry tables that every parser reads bytes with (RFC 9110 5.5, 5.6.2; RFC 3986 2).

function table(fill: (code: number) => number): Uint8Array {
  const bytes = new Uint8Array(256);
  for (let code = 0; code < 256; code++) bytes[code] = fill(code);
  return bytes;
}

const tokenPattern = /[A-Za-z0-9!#$%&'*+\-.^_`|~]/;

/** A token character in lower case, 0 for every other byte. */
export const tokenLower = table((code) => {
  const character = String.fromCharCode(code);
  return code < 128 && tokenPattern.test(character) ? character.toLowerCase().charCodeAt(0) : 0;
});

/** 1 for what a field value may hold: VCHAR, SP, HTAB and obs-text. */
export const isFieldValue = table((code) => (code === 9 || (code >= 0x20 && code !== 0x7f) ? 1 : 0));

/** 1 for what a request target may hold: printable ASCII. Its grammar is judged later, on the text. */
export const isTarget = table((code) => (code > 0x20 && code < 0x7f ? 1 : 0));

/** The value of a hex digit, 255 for every other byte. */
export const hexValue = table((code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? 255 : value;
});
