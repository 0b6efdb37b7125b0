// Header fields as objects may name them: RFC 9110 5.1 names, and values in printable ASCII.

const fieldName = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const fieldValue = /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/;

export function isFieldName(text: string): boolean {
  return fieldName.test(text);
}

export function isFieldValue(text: string): boolean {
  return fieldValue.test(text);
}
