// SIGTERM and SIGINT: the first asks for a graceful stop, the second ends the process at once.
import type { Terminal } from './terminal.ts';

export interface Stop {
  readonly signal: 'SIGTERM' | 'SIGINT';
}

const exitedBySignal = 130;

export function waitForStop(terminal: Terminal): Promise<Stop> {
  return new Promise((resolve) => {
    let isAsked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isAsked) terminal.exit(exitedBySignal);
      isAsked = true;
      resolve({ signal: signal === 'SIGTERM' ? 'SIGTERM' : 'SIGINT' });
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
