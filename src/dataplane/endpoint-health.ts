// The health checks of a data plane, made once for all of its threads: sockets and timers of this thread, what is told of
// the outcomes, and what people see of them.
import { defaultParserLimits } from '#h1/parser-limits.ts';
import type { Endpoint } from '#model/route-model.ts';
import { endpointText } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import type { Logger } from '#telemetry/log.ts';
import { loadSecureTransport, transport } from '#transport/current.ts';
import type { SecureTransport } from '#transport/secure-transport.ts';
import { TimerWheel } from '#transport/timer-wheel.ts';
import type { createProber } from '#upstream/health-probe.ts';
import { probeResults } from '#upstream/prober.ts';
import type { UpstreamContext } from '#upstream/upstream-connection.ts';
import type { CheckedUpstream } from './checked-group.ts';
import { checksAtOnce, descriptorLimit } from './descriptor-limit.ts';
import { HealthChecker } from './health-checker.ts';
import type { HealthChange } from './health-checker.ts';
import type { Unwell } from './unwell-news.ts';

export interface EndpointHealthOptions {
  readonly logger: Logger;
  readonly onUnwell: (changed: Unwell) => void;
  /** What DNS says of an upstream. */
  readonly resolved: (id: string) => readonly Endpoint[];
}

export interface HealthCounts {
  readonly checks: readonly (readonly [result: string, count: number])[];
  readonly unwellEndpoints: number;
}

export class EndpointHealth {
  readonly #options: EndpointHealthOptions;
  readonly #checker: HealthChecker;
  #upstreams: readonly CheckedUpstream[] = [];
  /** With the first upstream that is checked. */
  #createProber: typeof createProber | undefined;
  /** With the first of them that has TLS. */
  #secure: SecureTransport | undefined;
  #isLoading = false;
  #isClosed = false;

  constructor(options: EndpointHealthOptions) {
    this.#options = options;
    // No event of this thread but those of sockets says that the time goes on: it is asked for every time.
    const now = (): number => performance.now();
    const context: UpstreamContext = {
      transport,
      timers: new TimerWheel(now),
      limits: defaultParserLimits,
      now,
    };
    this.#checker = new HealthChecker({
      // Nothing is checked before it is there.
      createProber: (terms) => this.#createProber!(context, terms, this.#secure),
      onUnwell: options.onUnwell,
      parallel: checksAtOnce(descriptorLimit()),
      onChange: (change) => this.#log(change),
    });
  }

  /** Exactly these are checked from now on. */
  update(upstreams: readonly CheckedUpstream[]): void {
    this.#upstreams = upstreams;
    this.#check();
  }

  /** DNS says something else of an upstream than before. */
  onResolved(id: string): void {
    if (this.#upstreams.some((upstream) => upstream.isNamed && upstream.id === id)) this.#check();
  }

  /** Workers serve what the last update came with. */
  settle(): void {
    this.#checker.settle();
  }

  close(): void {
    this.#isClosed = true;
    this.#checker.close();
  }

  get counts(): HealthCounts {
    const { counts, unwellEndpoints } = this.#checker;
    return { checks: probeResults.map((result) => [result, counts[result]]), unwellEndpoints };
  }

  /** Upstreams whose endpoints are checked, sorted by id; as JSON. */
  get page(): string {
    const upstreams = [...this.#checker.states()]
      .sort(([a], [b]) => compareText(a.id, b.id))
      .map(([{ id, check }, endpoints]) => ({
        id,
        check: check.probe.kind,
        endpoints: endpoints.map(({ isWell, sinceMs, last, ...endpoint }) => ({
          endpoint: endpointText(endpoint),
          isWell,
          since: timeText(sinceMs),
          ...(last === undefined ? {} : { lastCheck: timeText(last.atMs), lastResult: last.text }),
        })),
      }));
    return `${JSON.stringify(upstreams)}\n`;
  }

  #check(): void {
    if (this.#isClosed || this.#isLoading) return;
    const needsProber = this.#createProber === undefined && this.#upstreams.length > 0;
    const needsTls = this.#secure === undefined && this.#upstreams.some(({ tls }) => tls.kind !== 'None');
    if (needsProber || needsTls) {
      this.#isLoading = true;
      void this.#load(needsTls);
      return;
    }
    const { resolved } = this.#options;
    this.#checker.update(
      this.#upstreams.map((upstream) =>
        upstream.isNamed ? { ...upstream, endpoints: resolved(upstream.id) } : upstream,
      ),
    );
  }

  /** What checks take, which most data planes do without. */
  async #load(needsTls: boolean): Promise<void> {
    this.#createProber ??= (await import('#upstream/health-probe.ts')).createProber;
    if (needsTls) this.#secure = await loadSecureTransport();
    this.#isLoading = false;
    this.#check();
  }

  #log({ upstream, endpoint, isWell, reason }: HealthChange): void {
    const about = { upstream, endpoint: endpointText(endpoint), reason };
    if (isWell) this.#options.logger.info(about, 'an endpoint is well again');
    else this.#options.logger.warn(about, 'an endpoint is not well: it is used only where no other is left');
  }
}

function timeText(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
