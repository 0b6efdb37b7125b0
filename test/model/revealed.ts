// A model with its keys as plain text: SecretText hides them from every comparison and from every print.
import type { ChunkKind } from '#model/chunk.ts';
import type { RouteModel } from '#model/route-model.ts';
import type { SecretText } from '#model/secret-text.ts';

export function revealed({ certificates, keys, ...rest }: RouteModel): Readonly<Record<ChunkKind, unknown>> {
  return { ...rest, certificates: certificates.map(revealedKey), keys: keys.map(revealedKey) };
}

function revealedKey(secret: { readonly key: SecretText }): object {
  return { ...secret, key: secret.key.reveal() };
}
