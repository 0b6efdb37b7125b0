// What values of a model are known by, and what they refer to.
import type { ChunkContent } from './chunk-reader.ts';
import { hostKey } from './route-model.ts';
import type { Rule, VirtualHost } from './route-model.ts';
import { hasSessions, sessionKeyId } from './signing-key.ts';

/** Of a host, or of the settings. */
export interface References {
  /** The key of the host; of the settings, what in them refers. */
  readonly owner: string;
  readonly upstreams: readonly string[];
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
}

const nothing: Omit<References, 'owner'> = { upstreams: [], certificates: [], keys: [] };

export function keysOf(content: ChunkContent): readonly string[] {
  switch (content.kind) {
    case 'settings':
      return [];
    case 'zones':
      return content.zones.map(({ node }) => node);
    case 'hosts':
      return content.hosts.map(({ pattern }) => hostKey(pattern));
    case 'upstreams':
      return content.upstreams.map(({ id }) => id);
    case 'certificates':
      return content.certificates.map(({ id }) => id);
    case 'keys':
      return content.keys.map(({ id }) => id);
  }
}

export function referencesOf(content: ChunkContent): readonly References[] {
  switch (content.kind) {
    case 'hosts':
      return content.hosts.map(hostReferences);
    case 'settings': {
      const { fallback, defaultCertificate } = content.settings;
      const references: References[] = [];
      if (fallback.kind === 'Rule')
        references.push({ owner: 'the fallback', ...rulesReferences([fallback.rule]) });
      if (defaultCertificate.kind === 'Certificate') {
        const certificates = [defaultCertificate.certificate];
        references.push({ ...nothing, owner: 'the default certificate', certificates });
      }
      return references;
    }
    case 'zones':
    case 'upstreams':
    case 'certificates':
    case 'keys':
      return [];
  }
}

export function hostReferences({ pattern, rules, certificates }: VirtualHost): References {
  return { owner: hostKey(pattern), ...rulesReferences(rules), certificates };
}

function rulesReferences(rules: readonly Rule[]): Omit<References, 'owner'> {
  return {
    ...nothing,
    upstreams: rules.flatMap(upstreamsOf),
    keys: rules.some(hasSessions) ? [sessionKeyId] : [],
  };
}

function upstreamsOf({ backends }: Rule): string[] {
  return backends.flatMap((backend) => (backend.kind === 'Unresolved' ? [] : [backend.upstream]));
}
