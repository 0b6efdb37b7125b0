// What a writer whose newest schema is `schema` makes of a model: no field that came later, keys as plain text.
import type { ChunkKind } from '#model/chunk.ts';
import { plainBackend, plainTls } from '#model/plain-terms.ts';
import type { RouteModel, Upstream } from '#model/route-model.ts';
import { fitToSchema } from '#model/schema-fit.ts';
import { revealed } from './revealed.ts';

/** By kind of chunk, only those that the schema has. */
export function asWritten(model: RouteModel, schema: number): Readonly<Partial<Record<ChunkKind, unknown>>> {
  if (schema >= 5) return { ...revealed(model), upstreams: model.upstreams.map(withWords) };
  const fitted = fitToSchema(model, schema).model;
  const { keys: _keys, ...known } = revealed(fitted);
  const settings4 = without(fitted.settings, 'outlierEjection');
  if (schema === 4) {
    const upstreams = fitted.upstreams.map((upstream) => ({
      ...without(upstream, 'policies'),
      endpoints: upstream.endpoints,
    }));
    return { ...known, settings: settings4, upstreams: upstreams.map(withWords) };
  }
  const settings = without(settings4, 'defaultCertificate');
  const hosts = fitted.hosts.map((host) => ({
    ...without(host, ...Object.keys(plainTls)),
    rules: host.rules,
  }));
  const upstreams = fitted.upstreams.map((upstream) => ({
    ...without(upstream, ...Object.keys(plainBackend)),
    endpoints: upstream.endpoints,
  }));
  if (schema === 3) return { ...known, settings, hosts, upstreams: upstreams.map(withWords) };
  return {
    settings: without(settings, 'fallback'),
    hosts: hosts.map((host) => ({
      ...without(host, 'certificates', 'plaintext'),
      rules: schema === 2 ? host.rules : host.rules.map((rule) => without(rule, 'filters')),
    })),
    upstreams: upstreams.map((upstream) => without(upstream, 'discovery', 'zoneHints')),
  };
}

/** From schema 3 on an endpoint is a word. */
function withWords({ endpoints, ...upstream }: Pick<Upstream, 'endpoints'>): object {
  return {
    ...upstream,
    endpoints: endpoints.map(({ address, port, state }) => {
      const host = address.includes(':') ? `[${address}]` : address;
      return state === 'Ready' ? `${host}:${port}` : `${host}:${port} Terminating`;
    }),
  };
}

function without(value: object, ...keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}
