// `flint explain URL`: which rule takes a request and why the others do not, by the matcher that serves requests.
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import type { RouteModel, Upstream } from '#model/route-model.ts';
import type { FilterOf } from '#model/filters.ts';
import type { UpstreamPolicy } from '#model/upstream-policies.ts';
import { endpointText, hostKey } from '#model/route-model.ts';
import { normalizePath } from '#model/request-path.ts';
import { rewritePath } from '#filter/path-rewrite.ts';
import { locationOf } from '#filter/request-redirect.ts';
import type { Candidate, Unmet } from '#route/candidate.ts';
import type { CompiledRoute } from '#route/compiled-route.ts';
import { explain as explainHost } from '#route/explain.ts';
import type { CandidateOpinion } from '#route/explain.ts';
import type { MatchRequest } from '#route/match-request.ts';
import { compile } from '#route/route-table.ts';
import { refText } from '#api/kubernetes-object.ts';
import { positionText } from '#local/manifests.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import { openLocalSource } from './local-source.ts';
import type { SourceOptions } from './local-source.ts';
import { exitCode } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface ExplainOptions extends SourceOptions {
  readonly method: string;
  readonly header: readonly string[];
}

export function explain(urlText: string, options: ExplainOptions, terminal: Terminal): number {
  const request = parseRequest(urlText, options);
  const model = loadModel(options, terminal);
  const print = (line: string): void => terminal.stdout(`${line}\n`);
  print(`${request.method} ${urlText}`);

  const host = compile(model.hosts).findHost(request.hostname);
  if (host === undefined) {
    const known = model.hosts.map((each) => hostKey(each.pattern)).join(', ') || 'none';
    print(`404: no host fits "${request.hostname}". Hosts that are served: ${known}`);
    return exitCode.negative;
  }
  print(`host "${host.key}"`);
  if (request.scheme === 'https' && host.passthrough !== undefined) {
    const { objectId, ref } = host.passthrough;
    print(`TLS is ended by a backend of ${objectId} ${ref.rule}: no request is seen (tls.mode decides)`);
    for (const line of backendLines(host.passthrough, model)) print(line);
    return exitCode.ok;
  }
  const normal = normalizePath(request.path, host.pathPolicy);
  if (normal.kind === 'Refused') {
    print(`400: the path ${request.path} is refused: ${normal.message} (policy.path of this host decides)`);
    return exitCode.negative;
  }
  if (normal.path !== request.path) print(`path ${request.path} is routed and forwarded as ${normal.path}`);
  const plaintext = request.scheme === 'http' ? host.plaintextFor(normal.path) : 'Serve';
  if (plaintext !== 'Serve') {
    const answer = plaintext === 'Redirect' ? '308: sent on to https' : '403: plain HTTP is refused';
    print(`${answer} (tls.plaintext of this host decides)`);
    return plaintext === 'Redirect' ? exitCode.ok : exitCode.negative;
  }
  const opinions = explainHost(host, { ...request, path: normal.path });
  for (const opinion of opinions) print(`  ${opinionText(opinion)}`);
  const taken = opinions.find(({ opinion }) => opinion.kind === 'Takes');
  if (taken === undefined) {
    print('404: no rule of this host takes the request');
    return exitCode.negative;
  }
  for (const line of outcomeLines(taken.candidate, { ...request, path: normal.path }, model)) print(line);
  return exitCode.ok;
}

interface ExplainedRequest extends MatchRequest {
  readonly hostname: string;
  readonly scheme: 'http' | 'https';
  /** With its port. */
  readonly authority: string;
}

function parseRequest(urlText: string, options: ExplainOptions): ExplainedRequest {
  // Not by URL: it would resolve the dot segments and escapes whose treatment is to be explained.
  const parsed = /^(?:(https?):\/\/)?(\[[^\]]*\]|[^/?#:]+)(:[0-9]+)?([^?#]*)(?:\?([^#]*))?/i.exec(urlText);
  if (parsed === null) throw new Error(`"${urlText}" is no URL such as http://shop.example.com/path`);
  const [, scheme = '', hostname = '', port = '', path = '', query = ''] = parsed;
  const fields = new Map<string, string>();
  for (const header of options.header) {
    const colon = header.indexOf(':');
    if (colon <= 0) throw new Error(`-H "${header}" is no field such as 'Name: value'`);
    const name = header.slice(0, colon).trim().toLowerCase();
    const value = header.slice(colon + 1).trim();
    const earlier = fields.get(name);
    fields.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  if (!fields.has('host')) fields.set('host', hostname);
  return {
    method: options.method,
    hostname: hostname.toLowerCase(),
    scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http',
    authority: `${hostname}${port}`,
    path: path === '' ? '/' : path,
    query,
    field: (name) => fields.get(name),
  };
}

/** The same way as for serving, through the bundle and back. */
function loadModel(options: SourceOptions, terminal: Terminal): RouteModel {
  const { manifests, cluster } = openLocalSource(options);
  const warn = (message: string): void => terminal.stderr(`${message}\n`);
  for (const { object, position, problem } of cluster.replace(manifests.read(warn)))
    warn(`${positionText(position)}: ${refText(object)} is refused: ${problem.at} ${problem.message}`);
  const { model, verdicts } = translate(cluster.view(new Date().toISOString()), defaultTranslateSettings);
  for (const verdict of verdicts) {
    if (verdict.kind === 'NotOurs') warn(`${refText(verdict.object)} is not ours: ${verdict.message}`);
    else
      for (const { reason, at, message } of verdict.problems)
        warn(`${refText(verdict.object)}: ${reason} at ${at}: ${message}`);
  }
  const decoded = decode(encode(model));
  if (decoded.kind === 'Refused') throw new Error(`the model cannot be read back: ${decoded.message}`);
  return decoded.model;
}

function opinionText({ candidate, opinion }: CandidateOpinion): string {
  const what = `${ruleText(candidate)}: ${matchText(candidate)}`;
  switch (opinion.kind) {
    case 'Takes':
      return `=> ${what}`;
    case 'Fits':
      return `   ${what} - fits too, but comes later in the order of precedence`;
    case 'Refuses':
      return `   ${what} - ${unmetText(opinion.unmet)}`;
  }
}

function ruleText({ route }: Candidate): string {
  return `${route.objectId} ${route.ref.rule}`;
}

function matchText({ match }: Candidate): string {
  const parts = [`${match.path.kind} ${match.path.value}`];
  if (match.method.kind === 'Method') parts.push(`method ${match.method.method}`);
  const named =
    (noun: string) => (each: { readonly kind: string; readonly name: string; readonly value: string }) =>
      `${noun} ${each.name} ${each.kind === 'Exact' ? '=' : '~'} ${each.value}`;
  parts.push(...match.headers.map(named('header')), ...match.queryParams.map(named('query')));
  return parts.join(', ');
}

function unmetText(unmet: Unmet): string {
  switch (unmet.kind) {
    case 'Path':
      return 'the path does not fit';
    case 'Method':
      return `the method is not ${unmet.method}`;
    case 'Header':
      return `the header ${unmet.name} does not fit`;
    case 'QueryParam':
      return `the query parameter ${unmet.name} does not fit`;
  }
}

function outcomeLines({ route }: Candidate, request: ExplainedRequest, model: RouteModel): readonly string[] {
  const { filters } = route;
  if (filters === undefined) return backendLines(route, model);
  const { answer, rewrite, maxBodyBytes } = filters;
  const lines: string[] = [];
  if (filters.hasClientIp) lines.push('only for the client addresses that the policy admits; else 403');
  if (maxBodyBytes < Infinity) lines.push(`request bodies of at most ${maxBodyBytes} bytes; else 413`);
  if (filters.mostConcurrent < Infinity)
    lines.push(`at most ${filters.mostConcurrent} requests at a time; else 503`);
  if (answer?.kind === 'DirectResponse') return [...lines, `${answer.status}: the rule answers itself`];
  if (answer?.kind === 'RequestRedirect') {
    const { authority, path, query } = request;
    return [
      ...lines,
      `${answer.status} -> ${locationOf(answer, { scheme: request.scheme, authority, path, query })}`,
    ];
  }
  if (rewrite !== undefined) {
    const host = rewrite.hostname.kind === 'OtherHost' ? rewrite.hostname.name : request.authority;
    lines.push(`forwarded as ${rewritePath(rewrite.path, request.path)} of host ${host}`);
  }
  if (filters.requestHeaders !== undefined) lines.push('with changed request headers');
  if (filters.responseHeaders !== undefined) lines.push('with changed response headers');
  if (filters.session !== undefined)
    lines.push(
      `to where its session was, by the ${filters.session.source.toLowerCase()} ${filters.session.name}`,
    );
  if (filters.retry !== undefined) lines.push(retryText(filters.retry));
  return [...lines, ...backendLines(route, model)];
}

function retryText({ attempts, codes }: FilterOf<'Retry'>): string {
  const what =
    codes.length === 0 ? 'attempts that take too long' : `${codes.join(', ')} and what takes too long`;
  return `${what}: tried again up to ${attempts} ${attempts === 1 ? 'time' : 'times'}`;
}

function backendLines(route: CompiledRoute, model: RouteModel): readonly string[] {
  if (route.totalWeight === 0) return ['500: all backends of the rule have weight 0'];
  const lines = route.backends.map((backend) => {
    const share = `${Math.round((backend.weight / route.totalWeight) * 1000) / 10}%`;
    if (backend.kind === 'Unresolved')
      return `${share} -> ${backend.status}: the reference leads nowhere; the status of its object says why`;
    return `${share} -> ${upstreamText(backend.upstream, model)}`;
  });
  const fallbacks = route.fallbacks.map(
    ({ upstream }) => `if nobody else can serve -> ${upstreamText(upstream, model)}`,
  );
  return [...lines, ...fallbacks];
}

function upstreamText(id: string, model: RouteModel): string {
  const upstream = model.upstreams.find((each) => each.id === id);
  const list = (upstream?.endpoints ?? []).map(
    (each) => `${endpointText(each)}${each.state === 'Ready' ? '' : ' (terminating)'}`,
  );
  const spoken = upstream === undefined ? '' : spokenText(upstream);
  return `${id}${spoken}: ${list.join(', ') || '503: it has no endpoints'}`;
}

/** Nothing for HTTP/1.1 in the clear. */
function spokenText({ protocol, tls, policies }: Upstream): string {
  const words = [
    ...(protocol === 'HTTP/1.1' ? [] : [protocol]),
    ...(tls.kind === 'None' ? [] : [`TLS, verified as ${tls.serverName}`]),
  ];
  const parts = [...(words.length === 0 ? [] : [words.join(' over ')]), ...policies.map(policyText)];
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

function policyText(policy: UpstreamPolicy): string {
  switch (policy.kind) {
    case 'ConsistentHash':
      return policy.source === 'ClientAddress'
        ? 'the same endpoint for the same client address'
        : `the same endpoint for the same ${hashNouns[policy.source]} ${policy.name}`;
    case 'SlowStart':
      return `new endpoints warm up for ${policy.windowMs} ms`;
    case 'HealthCheck':
      return `checked every ${policy.intervalMs} ms`;
    case 'OutlierEjection':
      return 'endpoints that fail are left alone';
    case 'CircuitBreaker':
      return 'limited';
  }
}

const hashNouns = { Header: 'header', Cookie: 'cookie', QueryParam: 'query parameter' } as const;
