// The default backend of the whole controller: what takes a request that no rule takes.
import type { Problem } from '#api/problem.ts';
import type { Fallback } from '#model/route-model.ts';
import { backendOf, resolveBackend } from './backends.ts';
import type { TranslateSettings } from './cluster-view.ts';
import { timeoutsWithDefaults } from './defaults.ts';
import { translateMatches } from './matches.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import type { ServiceIndex } from './service-index.ts';

export interface TranslatedFallback {
  readonly fallback: Fallback;
  readonly problems: readonly Problem[];
}

const none: TranslatedFallback = { fallback: { kind: 'NotFound' }, problems: [] };
const settingKey = 'defaultBackend';
/** What was made last of a setting, so that the same one stays the same value. */
const made = new WeakMap<object, { readonly text: string; readonly translated: TranslatedFallback }>();

/** A Service that is missing answers 503, as any reference that leads nowhere, and is a problem of the settings. */
export function fallbackOf(
  { defaultBackend, externalNames }: TranslateSettings,
  services: ServiceIndex,
): TranslatedFallback {
  if (defaultBackend === undefined) return none;
  const { namespace, service, port } = defaultBackend;
  const target = { name: service, port };
  const resolved = resolveBackend(
    target,
    namespace,
    { at: settingKey, name: settingKey, port: settingKey },
    { service: (key) => services.service(key), allowsExternalNames: externalNames !== 'Refused' },
  );
  const text = JSON.stringify(resolved);
  const known = made.get(defaultBackend);
  if (known?.text === text) return known.translated;
  const translated: TranslatedFallback = {
    fallback: {
      kind: 'Rule',
      rule: {
        ref: { kind: 'Setting', namespace, name: settingKey, rule: settingKey },
        matches: translateMatches([], strictPathPolicy, settingKey, []),
        filters: [],
        backends: [backendOf(target, resolved)],
        timeouts: timeoutsWithDefaults({}),
      },
    },
    problems: resolved.kind === 'Resolved' ? [] : [resolved.problem],
  };
  made.set(defaultBackend, { text, translated });
  return translated;
}
