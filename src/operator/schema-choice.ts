// Which schema a model is published in: the newest that its readers understand.
//
// Pods of two builds run side by side in every rollout. What all of them can be told without loss is told in a schema that
// all of them read, those included that are not ready yet: a pod of an older build that has just started waits for nothing
// else. What only newer ones can be told is told to those that serve; older ones get what they can do, and what they would
// misread answers 503 until they are gone.
import { newestSchema, schemaNumbers } from '#model/route-model-schema.ts';
import type { RouteModel } from '#model/route-model.ts';
import { fitToSchema } from '#model/schema-fit.ts';
import type { Fitted } from '#model/schema-fit.ts';
import type { Understanding } from './acknowledgements.ts';
import { Budget } from './budget.ts';

export interface SchemaChoice extends Fitted {
  readonly schema: number;
}

/** Rollouts go one way: so many changes at once, and then one in ten seconds. */
const changesPerSecond = 0.1;
const changesAtOnce = 3;

/** Chooses again and again: a pod that says now this and now that must not have everything written anew each time. */
export class SchemaChooser {
  readonly #changes = new Budget(changesPerSecond, changesAtOnce);
  #chosenFor = '';

  /** Whether the last choice was made for just these readers. */
  suits(understanding: Understanding): boolean {
    return JSON.stringify(understanding) === this.#chosenFor;
  }

  choose(model: RouteModel, understanding: Understanding, published: number | undefined): SchemaChoice {
    const choice = chooseSchema(model, understanding, published);
    const isChange = published !== undefined && published !== choice.schema;
    const mayChange = !isChange || this.#changes.take();
    // What is put off is looked at again.
    this.#chosenFor = mayChange ? JSON.stringify(understanding) : '';
    return mayChange ? choice : { schema: published, ...fitToSchema(model, published) };
  }
}

/** `published`: the schema of the head that stands; undefined when there is none. */
export function chooseSchema(
  model: RouteModel,
  { running, counting, unknown }: Understanding,
  published: number | undefined,
): SchemaChoice {
  // Whoever has not answered yet serves what stands.
  const cap = unknown > 0 && published !== undefined ? published : newestSchema;
  const forAll = Math.min(cap, newestOf(running));
  const fitted = fitToSchema(model, forAll);
  if (fitted.heldBack.length === 0) return { schema: forAll, ...fitted };
  // Where nobody serves, those that start are all there is.
  const isServed = counting.length > 0 || unknown > 0;
  const forServing = Math.min(cap, newestOf(isServed ? counting : running));
  return forServing === forAll
    ? { schema: forAll, ...fitted }
    : { schema: forServing, ...fitToSchema(model, forServing) };
}

/** The newest that all of these read, of those that can be written; the oldest of them when there is none. */
function newestOf(readers: readonly (readonly number[])[]): number {
  const common = schemaNumbers.filter((schema) => readers.every((schemas) => schemas.includes(schema)));
  return common.length === 0 ? Math.min(...schemaNumbers) : Math.max(...common);
}
