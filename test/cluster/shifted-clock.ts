// Preloaded into a process (--import) whose wall clock a test sets: on SIGUSR2 its Date is off by the milliseconds that the
// file of FLINT_CLOCK says. The monotonic clock stays as it is, and so do timers.
import { readFileSync } from 'node:fs';

let offsetMs = 0;

globalThis.Date = new Proxy(Date, {
  construct: (target, args: unknown[], self) =>
    Reflect.construct(target, args.length === 0 ? [target.now() + offsetMs] : args, self) as Date,
  apply: (target) => new target(target.now() + offsetMs).toString(),
  get: (target, key): unknown => (key === 'now' ? () => target.now() + offsetMs : Reflect.get(target, key)),
});

process.on('SIGUSR2', () => {
  offsetMs = Number(readFileSync(process.env['FLINT_CLOCK'] ?? '', 'utf8'));
});
