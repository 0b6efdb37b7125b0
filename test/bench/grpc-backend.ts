// A backend of gRPC for the benchmarks: reads a message to its end, answers with one and a status in the trailers. On the
// project's own codec, since what Node and nginx have is slower than what is measured, or ends streams that are not read.
//
//   hack/runtime bun test/bench/grpc-backend.ts PORT...
import { ServerReading, ServerSession } from '#h2/server-session.ts';
import type { ServerSessionOwner } from '#h2/server-session.ts';
import type { Stream, StreamUser } from '#h2/stream.ts';
import { transport } from '#transport/current.ts';
import { TurnEnd } from '#transport/turn-end.ts';
import type { Socket, SocketEvents } from '#transport/transport.ts';

const reading = new ServerReading({
  headBytes: 65_536,
  fields: 100,
  targetBytes: 16_384,
  concurrentStreams: 1000,
});
const head = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n\r\n', 'latin1');
const message = Buffer.from('\0\0\0\0\x0chello, world', 'latin1');
const trailers = Buffer.from('grpc-status: 0\r\n\r\n', 'latin1');

class Call implements StreamUser {
  readonly #session: ServerSession;
  readonly #stream: Stream;

  constructor(session: ServerSession, stream: Stream) {
    this.#session = session;
    this.#stream = stream;
  }

  onStreamBody(_bytes: Buffer, start: number, end: number): void {
    this.#session.consume(this.#stream, end - start);
  }

  onStreamEnd(): void {
    this.#session.sendHead(this.#stream, head);
    this.#session.sendData(this.#stream, message, 0, message.length);
    this.#session.endStream(this.#stream, trailers);
  }

  onStreamWritable(): void {}

  onStreamCongested(): void {}

  onStreamClosed(): void {}
}

class Connection implements SocketEvents, ServerSessionOwner {
  readonly now = (): number => performance.now();
  readonly #socket: Socket;
  readonly #session: ServerSession;
  readonly #turnEnd = new TurnEnd(transport, () => {
    if (!this.sendOutput()) this.#session.isOutputBlocked = true;
  });

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#session = new ServerSession(this, reading);
  }

  onBytes(bytes: Buffer): void {
    this.#session.push(bytes, 0, bytes.length);
  }

  onRequest(stream: Stream): StreamUser {
    return new Call(this.#session, stream);
  }

  onRefusedRequest(stream: Stream): StreamUser {
    return new Call(this.#session, stream);
  }

  onOutput(): void {
    this.#turnEnd.request();
  }

  sendOutput(): boolean {
    return this.#session.writer.flush(this.#socket);
  }

  onDrain(): void {
    this.#session.resumeOutput();
  }

  onStreamReset(): void {}

  onSessionFailed(): void {
    this.#socket.destroy();
  }

  onGoAway(): void {}

  onQuiet(): void {}

  onEnd(): void {
    this.#socket.destroy();
  }

  onClose(): void {}
}

for (const port of process.argv.slice(2))
  await transport.listen(
    { host: '127.0.0.1', port: Number(port), reusePort: false },
    (socket) => new Connection(socket),
  );
