// SIGTERM and SIGINT: the first asks for a graceful stop, a later one ends the process at once.
import type { Terminal } from './terminal.ts';

export interface Stop {
  readonly signal: 'SIGTERM' | 'SIGINT';
}

const exitedBySignal = 130;
/** Ctrl-C reaches the whole group of processes, and npm passes its own on: one wish comes twice. */
const echoMs = 300;

/** To be called before anything is loaded: the first process of a container has no other way to be asked to stop. */
export function waitForStop(terminal: Terminal): Promise<Stop> {
  return new Promise((resolve) => {
    let isAsked = false;
    let isEchoOver = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isEchoOver) terminal.exit(exitedBySignal);
      // Not before what came in the meantime is heard, however long that took.
      if (!isAsked) setTimeout(() => setImmediate(() => (isEchoOver = true)), echoMs).unref();
      isAsked = true;
      resolve({ signal: signal === 'SIGTERM' ? 'SIGTERM' : 'SIGINT' });
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
