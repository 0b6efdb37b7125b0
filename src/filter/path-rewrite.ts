// The paths of URLRewrite and RequestRedirect.
import type { PathRewrite } from '#model/filters.ts';

/** `path` is one that the rule's match fits, in normal form; so is the result. */
export function rewritePath(rewrite: PathRewrite, path: string): string {
  switch (rewrite.kind) {
    case 'SamePath':
      return path;
    case 'OtherPath':
      return rewrite.path;
    case 'OtherPrefix': {
      const rest = path.slice(rewrite.prefix.length);
      return `${rewrite.replacement}${rest}` || '/';
    }
  }
}
