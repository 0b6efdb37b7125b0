// What a worker remembers of its exchanges: counters in shared memory, lines in the access log.
import type { ErrorCode } from '#h2/error-code.ts';
import type { Exchange } from '#proxy/exchange.ts';
import type { Passthrough } from '#proxy/passthrough.ts';
import type { HandshakeOutcome, Http2Scope, Refusal } from '#proxy/connection-words.ts';
import type { ProxyObserver } from '#proxy/proxy-context.ts';
import type { AccessLog } from '#telemetry/access-log.ts';
import type { MetricWriter } from './metric-slots.ts';

export class Recorder implements ProxyObserver {
  readonly #metrics: MetricWriter;
  readonly #accessLog: AccessLog | undefined;
  readonly #slots = new Map<string, number>();

  constructor(metrics: MetricWriter, accessLog: AccessLog | undefined) {
    this.#metrics = metrics;
    this.#accessLog = accessLog;
  }

  assign(added: readonly (readonly [string, number])[], removed: readonly string[]): void {
    for (const id of removed) this.#slots.delete(id);
    for (const [id, slot] of added) this.#slots.set(id, slot);
  }

  onConnectionOpen(): void {
    this.#metrics.addConnections(1);
  }

  onConnectionClose(): void {
    this.#metrics.addConnections(-1);
  }

  onConnectionRefused(refusal: Refusal): void {
    this.#metrics.countRefusedConnection(refusal);
  }

  onConnectionDisplaced(isIdle: boolean): void {
    this.#metrics.countDisplacedConnection(isIdle);
  }

  onHandshakeEnd(outcome: HandshakeOutcome): void {
    this.#metrics.countHandshake(outcome);
  }

  onHttp2Error(scope: Http2Scope, code: ErrorCode): void {
    this.#metrics.countHttp2Error(scope, code);
  }

  onExchangeStart(): void {
    this.#metrics.addActiveRequests(1);
  }

  onExchangeEnd(exchange: Exchange): void {
    const { request, durationMs, fault } = exchange;
    const { route } = request;
    this.#metrics.addActiveRequests(-1);
    const slot = route === undefined ? 0 : (this.#slots.get(route.objectId) ?? 0);
    this.#metrics.countRequest(slot, exchange.status, durationMs / 1000);
    if (fault !== undefined) this.#metrics.countFault(fault);
    if (exchange.attempts.retries > 0) this.#metrics.countRetries(exchange.attempts.retries);
    this.#accessLog?.write({
      requestId: exchange.requestId,
      client: exchange.clientAddress,
      protocol: exchange.downstream.protocol,
      method: request.method,
      host: request.authority,
      path: request.path,
      query: request.query,
      status: exchange.status,
      fault: fault ?? '',
      durationMs: Math.round(durationMs * 1000) / 1000,
      requestBytes: exchange.requestBytes,
      responseBytes: exchange.responseBytes,
      route: route === undefined ? '' : `${route.objectId}/${route.ref.rule}`,
      endpoint: exchange.endpoint?.text ?? '',
      attempts: exchange.attempts.count,
    });
  }

  /** A line for a whole connection: no request in it is seen. */
  onPassthroughEnd(passthrough: Passthrough): void {
    const { route, fault, requestBytes, responseBytes } = passthrough;
    this.#metrics.countPassthrough(requestBytes, responseBytes);
    if (fault !== undefined) this.#metrics.countFault(fault);
    this.#accessLog?.write({
      requestId: '',
      client: passthrough.clientAddress,
      protocol: 'TLS',
      method: '',
      host: passthrough.serverName,
      path: '',
      query: '',
      status: 0,
      fault: fault ?? '',
      durationMs: Math.round(passthrough.durationMs * 1000) / 1000,
      requestBytes,
      responseBytes,
      route: `${route.objectId}/${route.ref.rule}`,
      endpoint: passthrough.endpoint?.text ?? '',
      attempts: passthrough.attempts,
    });
  }
}
