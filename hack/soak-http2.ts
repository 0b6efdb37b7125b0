// Clients of HTTP/2 over TLS, and of gRPC over it: sessions that are kept for many streams, and opened anew when they have gone.
import { connect as connectHttp2, constants } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { Client as GrpcClient, credentials, Metadata, status as Status } from '@grpc/grpc-js';
import { identity, methods } from '../test/e2e/grpc-echo.ts';
import { badStatus, ExchangeFailure, settledInTime, wrong } from './soak-exchange.ts';
import type { Client, Exchange, Target } from './soak-exchange.ts';
import { answerBytes, echoField, host, idField } from './soak-orders.ts';

const sessionsKept = 2;
const streamsOfSession = 500;
const message = Buffer.alloc(1024, 'g');
const repeats = 50;
const upload = Buffer.alloc(10_240, 'y');
const xByte = 'x'.charCodeAt(0);

interface Session {
  readonly http2: ClientHttp2Session;
  streams: number;
}

const sessions: Session[] = [];
let grpcClient: GrpcClient | undefined = undefined;

export const http2Clients: readonly Client[] = [
  { name: 'h2 tiny', exchange: h2('/tiny'), isIdempotent: true, paceMs: 10, count: 8 },
  { name: 'h2 10 KB', exchange: h2('/10k'), isIdempotent: true, paceMs: 20, count: 4 },
  { name: 'h2 1 MB', exchange: h2('/1m'), isIdempotent: true, paceMs: 200, count: 2 },
  { name: 'h2 POST', exchange: h2('/post', upload), isIdempotent: false, paceMs: 30, count: 4 },
  { name: 'gRPC unary', exchange: unary, isIdempotent: false, paceMs: 20, count: 4 },
  { name: 'gRPC stream', exchange: stream, isIdempotent: false, paceMs: 50, count: 2 },
];

export function closeHttp2(): void {
  for (const { http2 } of sessions.splice(0)) http2.close();
  grpcClient?.close();
  grpcClient = undefined;
}

/** One of those that are kept. A used one is left to its last streams. */
function sessionTo({ httpsPort, ca }: Target): ClientHttp2Session {
  while (sessions.length < sessionsKept) {
    const http2 = connectHttp2(`https://127.0.0.1:${httpsPort}`, { servername: host, ca });
    const session: Session = { http2, streams: 0 };
    const leave = (): void => {
      const at = sessions.indexOf(session);
      if (at >= 0) sessions.splice(at, 1);
    };
    // What it broke, its streams tell.
    http2.on('error', leave);
    http2.on('close', leave);
    http2.on('goaway', leave);
    sessions.push(session);
  }
  const session = sessions.toSorted((a, b) => a.streams - b.streams)[0]!;
  if (++session.streams === streamsOfSession) {
    sessions.splice(sessions.indexOf(session), 1);
    // Not before the stream for which it was asked has begun.
    setImmediate(() => session.http2.close());
  }
  return session.http2;
}

function h2(path: string, body?: Buffer): Exchange {
  return (target, id) =>
    settledInTime((resolve, reject) => {
      const asked = sessionTo(target).request(
        { ':authority': host, ':path': path, ':method': body === undefined ? 'GET' : 'POST', [idField]: id },
        { endStream: body === undefined },
      );
      let status = 0;
      let echoed: unknown = undefined;
      let bytes = 0;
      let isComplete = false;
      asked.on('response', (fields) => {
        status = Number(fields[':status']);
        echoed = fields[echoField];
      });
      asked.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (status === 200 && (piece[0] !== xByte || piece.at(-1) !== xByte))
          reject(wrong('foreign bytes in a body'));
      });
      asked.on('end', () => (isComplete = true));
      asked.on('error', reject);
      asked.on('close', () => {
        const due = answerBytes[path];
        if (!isComplete || asked.rstCode !== constants.NGHTTP2_NO_ERROR)
          reject(new Error(`the stream was reset with ${asked.rstCode}`));
        else if (status !== 200) reject(badStatus(status));
        else if (echoed !== id) reject(wrong('an answer to somebody else'));
        else if (bytes === due) resolve();
        else reject(wrong(`${bytes} bytes instead of ${due}`));
      });
      asked.end(body);
    });
}

function grpcTo({ httpsPort, ca }: Target): GrpcClient {
  return (grpcClient ??= new GrpcClient(`127.0.0.1:${httpsPort}`, credentials.createSsl(Buffer.from(ca)), {
    'grpc.default_authority': host,
    'grpc.ssl_target_name_override': host,
    'grpc.enable_retries': 0,
    // A channel that has lost its connection tries again at once.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 500,
  }));
}

function named(id: string): Metadata {
  const metadata = new Metadata({ waitForReady: true });
  metadata.set(idField, id);
  return metadata;
}

function unary(target: Target, id: string): Promise<void> {
  return settledInTime((resolve, reject) => {
    grpcTo(target).makeUnaryRequest(
      methods.Unary.path,
      identity,
      identity,
      message,
      named(id),
      (error, answer?: Buffer) => {
        if (error !== null) reject(new ExchangeFailure('Broken', `gRPC ${error.code}: ${error.details}`));
        else if (answer?.equals(message) === true) resolve();
        else reject(wrong('another message came back'));
      },
    );
  });
}

function stream(target: Target, id: string): Promise<void> {
  return settledInTime((resolve, reject) => {
    const call = grpcTo(target).makeServerStreamRequest(
      methods.Repeat.path,
      identity,
      identity,
      message,
      named(id),
    );
    let messages = 0;
    call.on('data', (answer: Buffer) => {
      messages++;
      if (!answer.equals(message)) reject(wrong('another message came back'));
    });
    call.on('error', () => {});
    call.on('status', ({ code, details }) => {
      if (code !== Status.OK) reject(new ExchangeFailure('Broken', `gRPC ${code}: ${details}`));
      else if (messages === repeats) resolve();
      else reject(wrong(`${messages} messages instead of ${repeats}`));
    });
  });
}
