// More clients than descriptors: 256 of them, and 600 connections that say nothing.
import { echoBackend } from '../e2e/backends.ts';
import { ask, closeAll, openClient } from '../e2e/many-clients.ts';
import type { Client } from '../e2e/many-clients.ts';
import { eventually, pause } from '../e2e/process-figures.ts';
import { unless } from './probe.ts';
import type { Probe } from './probe.ts';

const descriptorLimit = 256;
const underWay = 20;
const newcomers = 10;
const answerMs = 2500;
const patienceMs = 15_000;
const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';

export const descriptorsSpent: Probe = {
  name: 'descriptors spent',
  fault: `descriptors spent: ${descriptorLimit} of them, 600 silent connections`,
  promise:
    'requests under way are finished, whoever comes last is served, and all is as before when the flood is over',
  async run(side, context) {
    const backend = await echoBackend(context, 'shop', answerMs);
    const subject = await side.start(context, { pools: { 'shop.test': [backend.port] }, descriptorLimit });
    const all: Client[] = [];
    context.after(() => closeAll(all));
    const open = (count: number): Client[] => {
      const clients = Array.from({ length: count }, () => openClient(subject.port));
      all.push(...clients);
      return clients;
    };
    const early = open(underWay);
    const finished = served(early);
    await eventually(
      () => backend.connections,
      (count) => count >= underWay,
    );
    const flood = open(600);
    await eventually(
      () => flood.filter(({ isOpen, isClosed }) => isOpen || isClosed).length,
      (count) => count === flood.length,
    );
    await pause(500);
    const late = await served(open(newcomers));
    const earlyServed = await finished;
    closeAll(flood);
    await pause(500);
    const after = await served(open(newcomers));
    return {
      figures: [
        `${earlyServed} of ${underWay} under way finished`,
        `${late} of ${newcomers} served during the flood`,
        `${after} of ${newcomers} after it`,
        subject.isAlive ? 'alive' : 'dead',
      ],
      breaches: unless(
        [earlyServed === underWay, `${underWay - earlyServed} under way not finished`],
        [late === newcomers, `${newcomers - late} not served during the flood`],
        [after === newcomers && subject.isAlive, `${newcomers - after} not served after it`],
      ),
    };
  },
};

/** How many of them are answered with 200 before patience ends. */
async function served(clients: readonly Client[]): Promise<number> {
  const statuses = await Promise.all(
    clients.map((client) => Promise.race([ask(client, get), pause(patienceMs).then(() => 0)])),
  );
  return statuses.filter((status) => status === 200).length;
}
