// A client of HTTP/2 that is nothing but a socket: it sends any frames, and counts what comes back.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connectionPreface, Flag, FrameType } from '#h2/frame.ts';
import { FrameReader } from '#h2/frame-reader.ts';
import type { FrameSink } from '#h2/frame-reader.ts';
import { settings } from '../h2/frame-bytes.ts';
import { FrameParser } from '../h2/frame-notation.ts';
import type { Cleanup } from './backends.ts';

export class FloodClient implements FrameSink {
  /** Streams with a final head: interim ones do not come here. */
  heads = 0;
  /** Streams that have come to their end. */
  ended = 0;
  /** Codes of RST_STREAM. */
  readonly resets: number[] = [];
  /** The code of a GOAWAY. */
  goAway: number | undefined = undefined;
  /** The last stream of each. */
  readonly goAways: number[] = [];
  isClosed = false;
  readonly #socket: Socket;
  readonly #reader = new FrameReader(this);
  readonly #parser = new FrameParser();
  #dataFlags = 0;
  #wake: () => void = () => {};

  /** `isSilent`: it says nothing before `greet`. */
  constructor(context: Cleanup, port: number, isSilent = false) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('error', () => {});
    this.#socket.on('data', (bytes: Buffer) => {
      this.#reader.push(bytes, 0, bytes.length);
      this.#wake();
    });
    this.#socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
    if (!isSilent) this.greet();
    context.after(() => this.close());
  }

  greet(): void {
    this.#socket.write(Buffer.concat([connectionPreface, settings([])]));
  }

  /** In the notation of transcripts. */
  send(notation: string): void {
    this.#socket.write(this.#parser.bytesOf(notation));
  }

  /** As send, and waits until the socket takes more. */
  async flood(notation: string): Promise<void> {
    if (this.isClosed) return;
    if (this.#socket.write(this.#parser.bytesOf(notation))) await new Promise(setImmediate);
    else await Promise.race([once(this.#socket, 'drain'), once(this.#socket, 'close')]).catch(() => {});
  }

  /** Looks again after everything that comes. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.isClosed) throw new Error('the connection has closed');
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  onFrame(type: number, flags: number, _streamId: number, bytes: Buffer, start: number): void {
    if (type === FrameType.Headers) this.heads++;
    if (type === FrameType.Headers && (flags & Flag.EndStream) !== 0) this.ended++;
    if (type === FrameType.RstStream) this.resets.push(bytes.readUInt32BE(start));
    if (type !== FrameType.GoAway) return;
    this.goAways.push(bytes.readUInt32BE(start));
    this.goAway = bytes.readUInt32BE(start + 4);
  }

  onDataBegin(flags: number): void {
    this.#dataFlags = flags;
  }

  onDataBytes(): void {}

  onDataEnd(): void {
    if ((this.#dataFlags & Flag.EndStream) !== 0) this.ended++;
  }

  onFrameFault(fault: string): void {
    throw new Error(`not a frame of ours: ${fault}`);
  }
}
