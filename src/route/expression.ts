// Regular expressions of users, in an engine whose time is linear in the input whatever the expression.
import { RE2JS } from 're2js';

const cache = new Map<string, RE2JS>();
const cacheEntries = 1000;

/** Anchored at both ends. Throws for what is no RE2 expression; translation lets none through. */
export function compileExpression(pattern: string): (text: string) => boolean {
  let compiled = cache.get(pattern);
  if (compiled === undefined) {
    compiled = RE2JS.compile(pattern);
    if (cache.size >= cacheEntries) cache.clear();
    cache.set(pattern, compiled);
  }
  const expression = compiled;
  return (text) => expression.matches(text);
}
