// The entry of a worker thread: its own listener, table and pools, told what to serve by the main thread.
import { parentPort, workerData } from 'node:worker_threads';
import { IpRanges } from '#http/ip-ranges.ts';
import { ConcurrentRequests } from '#proxy/concurrent-requests.ts';
import { ProxyContext } from '#proxy/proxy-context.ts';
import { ProxyServer } from '#proxy/proxy-server.ts';
import { AccessLog } from '#telemetry/access-log.ts';
import { loadSecureTransport, transport } from '#transport/current.ts';
import { collectGarbage } from '#transport/runtime-memory.ts';
import { TimerWheel } from '#transport/timer-wheel.ts';
import { alone } from '#upstream/surroundings.ts';
import { LiveTable } from './live-table.ts';
import { MetricWriter } from './metric-slots.ts';
import { Recorder } from './recorder.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-protocol.ts';
import { startPulse } from './worker-vitals.ts';

async function serveMain(port: NonNullable<typeof parentPort>): Promise<void> {
  const { metrics, vitals, leftovers, memoryLevel, hasAccessLog, proxy, workers, ticketKeys } =
    workerData as WorkerStart;
  if (leftovers !== undefined) transport.leftovers?.note(leftovers);
  startPulse(vitals);
  const tell = (message: FromWorker): void => port.postMessage(message);
  const accessLog = hasAccessLog ? new AccessLog((lines) => tell({ kind: 'AccessLog', lines })) : undefined;
  const recorder = new Recorder(new MetricWriter(metrics), accessLog);
  const context = new ProxyContext(
    transport,
    new TimerWheel(),
    proxy.limits,
    recorder,
    new IpRanges(proxy.trustedProxies),
    new IpRanges(proxy.proxyProtocolPeers),
  );
  context.bodyBytesPerSecond = proxy.bodyBytesPerSecond;
  context.publicHttpsPort = proxy.publicHttpsPort;
  context.concurrentStreams = proxy.concurrentStreams;
  context.concurrentRequests = new ConcurrentRequests(workers);
  context.memoryWord = new Int32Array(memoryLevel);
  const server = new ProxyServer(context, {
    connections: proxy.connections || Infinity,
    connectionsPerClient: proxy.connectionsPerClient || Infinity,
  });
  const tls =
    ticketKeys === undefined
      ? undefined
      : { transport: await loadSecureTransport(), ticketKeys: Buffer.from(ticketKeys) };
  const table = new LiveTable(undefined, tls, {
    ...alone,
    workers,
    afterTurn: (action) => transport.afterTurn(action),
    onEjection: (upstream, { text: endpoint }, reason, durationMs) =>
      tell({ kind: 'Ejected', upstream, endpoint, reason, durationMs }),
  });

  const listen = async ({ options, isSecure }: Extract<ToWorker, { kind: 'Listen' }>): Promise<number> => {
    if (!isSecure) return server.listen(options);
    // Never in the clear where TLS is expected.
    if (tls === undefined) throw new Error('this thread was not made for TLS');
    return server.listenSecure(options, tls.transport);
  };

  const flip = (message: Extract<ToWorker, { kind: 'Flip' }>): void => {
    recorder.assign(message.slots, message.removedSlots);
    table.stage(message);
    server.serve(table.flip(message, message));
    tell({ kind: 'Flipped', revision: message.revision });
  };
  /** The table of before is served until then. Nothing else is staged: the answer has not been given. */
  const flipSecured = async (message: Extract<ToWorker, { kind: 'Flip' }>): Promise<void> => {
    table.useSecureTransport(await loadSecureTransport());
    flip(message);
  };

  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'Stage':
        table.stage(message);
        tell({ kind: 'Staged' });
        break;
      case 'Flip':
        if (table.lacksSecureTransport(message)) void flipSecured(message);
        else flip(message);
        break;
      case 'Resolved':
        table.resolve(message.resolved);
        break;
      case 'Health':
        for (const [id, keys] of message.unwell) table.setUnwell(id, keys);
        break;
      case 'Relieve':
        server.relieve(message.bytes);
        collectGarbage();
        break;
      case 'Listen':
        listen(message).then(
          (bound) => tell({ kind: 'Listening', port: bound }),
          (error: unknown) =>
            tell({ kind: 'ListenFailed', message: error instanceof Error ? error.message : String(error) }),
        );
        break;
      case 'TurnAway':
        server.turnAway();
        tell({ kind: 'TurnedAway' });
        break;
      case 'Drain':
        void server.drain(message.patienceMs, message.graceMs).then(() => {
          accessLog?.flush();
          tell({ kind: 'Drained' });
        });
        break;
    }
  });
}

if (parentPort !== null) await serveMain(parentPort);
