// A model with its keys as plain text: SecretText hides them from every comparison and from every print.
import type { ChunkKind } from '#model/chunk.ts';
import type { RouteModel } from '#model/route-model.ts';

export function revealed({ certificates, ...rest }: RouteModel): Readonly<Record<ChunkKind, unknown>> {
  return { ...rest, certificates: certificates.map((each) => ({ ...each, key: each.key.reveal() })) };
}
