// References to certificates of CAs: the `ca.crt` of Secrets of type kubernetes.io/tls, of the namespace of the object.
import type { FieldReader } from './field-reader.ts';

const secretName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The names in `caCertificateRefs` of this object; empty when there are none. */
export function readCaCertificateRefs(owner: FieldReader): readonly string[] {
  const key = 'caCertificateRefs';
  const names = owner.objects(key, 8).map((ref) => {
    ref.refuseUnknown(['name', 'kind']);
    ref.oneOf('kind', ['Secret']);
    const name = ref.requiredString('name');
    if (name.length > 253 || !secretName.test(name)) ref.refuse('name', `"${name}" is no name of a Secret`);
    return name;
  });
  if (new Set(names).size < names.length) owner.refuse(key, 'names a Secret twice');
  return names;
}
