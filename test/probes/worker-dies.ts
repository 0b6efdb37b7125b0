// One of two workers dies as of a bug: SIGSEGV for those of nginx and haproxy, an error that nobody catches in a thread of Flint.
import { echoBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { Load } from '../e2e/load.ts';
import { pause } from '../e2e/process-figures.ts';
import { seconds, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const clients = 32;
const watchedMs = 10_000;
const askedAfter = 20;

export const workerDies: Probe = {
  name: 'worker dies',
  fault: `one of two workers dies, under ${clients} busy connections`,
  promise: 'its own connections break and no others, and it is replaced',
  async run(side, context) {
    const backend = await echoBackend(context, 'shop');
    const subject = await side.start(context, { pools: { 'shop.test': [backend.port] }, workers: 2 });
    const load = new Load({
      port: subject.port,
      host: 'shop.test',
      connections: clients,
      onClose: 'reconnect',
    });
    await load.more(500);
    await subject.killWorker();
    const diedMs = performance.now();
    let isBack = false;
    while (!isBack && subject.isAlive && performance.now() - diedMs < watchedMs)
      isBack = await isServed(subject.port);
    const backMs = performance.now() - diedMs;
    await pause(500);
    const result = await load.stop();
    // Whoever is not let in tries again: what counts is what broke.
    const refused = result.errors.filter((error) => error.includes('ECONNREFUSED')).length;
    const broken = result.errors.length - refused;
    const bad = Object.entries(result.statuses).filter(([status]) => status !== '200').length;
    let after = 0;
    for (let number = 0; number < askedAfter; number++) if (await isServed(subject.port)) after++;
    // A new one may have been let in by a worker that was about to die: it has broken, too, and counts.
    const isAlone = broken < clients && refused === 0 && bad === 0;
    return {
      figures: [
        `${broken} of ${clients} connections broken`,
        `${refused} attempts to connect refused`,
        isBack ? `a new connection served after ${seconds(backMs)}` : 'nobody served any more',
        `${after} of ${askedAfter} served afterwards`,
        ...(subject.isAlive ? [] : ['the whole proxy has ended']),
      ],
      breaches: unless(
        [isAlone, `${broken} connections broken, ${refused} refused`],
        [after === askedAfter && subject.isAlive, 'not replaced'],
      ),
    };
  },
};

async function isServed(port: number): Promise<boolean> {
  const answer = await request(port, 'shop.test', '/').catch(() => undefined);
  return answer?.status === 200;
}
