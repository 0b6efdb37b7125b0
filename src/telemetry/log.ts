// The log of the process itself, on standard error, so that standard output belongs to the access log.
import pino from 'pino';
import type { Logger } from 'pino';

export type { Logger } from 'pino';

/** JSON lines. Levels: fatal, error, warn, info, debug, trace, silent. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
