// Where the access log ends up: standard output, written asynchronously by the main thread.
import pino from 'pino';

/** Lines that wait for a reader that does not read are dropped above this. */
const maxWaitingBytes = 16_777_216;

export function accessLogDestination(): { write(lines: string): void; end(): void } {
  const destination = pino.destination({ fd: 1, sync: false, maxLength: maxWaitingBytes });
  // Whoever read standard output may go away; requests are served on, unlogged.
  destination.on('error', () => {});
  return destination;
}
