// Paths as objects write them: those that every backend reads the same way.

const printable = /^[\x21-\x7e]+$/;

/** What is wrong with a path to match or to put in place of another; undefined for a sound one. */
export function pathFault(path: string): string | undefined {
  if (path.length > 1024) return 'is longer than 1024 characters';
  if (!printable.test(path)) return 'must be printable ASCII without spaces';
  if (!path.startsWith('/')) return 'must start with /';
  if (/[?#]/.test(path)) return 'holds neither a query nor a fragment';
  if (path.includes('//')) return 'holds no //';
  if (/\/\.{1,2}(?:\/|$)/.test(path)) return 'holds no . or .. segment';
  if (/%2f/i.test(path)) return 'holds no %2F';
  return undefined;
}
