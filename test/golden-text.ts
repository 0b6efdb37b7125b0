// How golden files write what they expect.
import { Document, isCollection, isMap, visit } from 'yaml';

const lineLength = 140;

/** YAML in block style, but whatever fits on a line stands on one. */
export function goldenText(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection: (_, node, path) => {
      if (path.length === 1 || !isCollection(node)) return;
      const depth = path.filter((each) => isMap(each)).length;
      node.flow = JSON.stringify(node.toJS(document)).length + 4 * depth <= lineLength;
      if (node.flow) return visit.SKIP;
      return undefined;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
