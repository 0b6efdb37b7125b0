// Loaded into an operator that is to be profiled: from one SIGUSR2 to the next it records where its time goes, and leaves
// the profile in the file that FLINT_PROFILE names.
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

const intervalUs = 500;
const file = process.env['FLINT_PROFILE'] ?? '';
const session = new Session();
session.connect();
let isRunning = false;

async function start(): Promise<void> {
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: intervalUs });
  await session.post('Profiler.start');
}

async function stop(): Promise<void> {
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(`${file}.part`, JSON.stringify(profile));
  renameSync(`${file}.part`, file);
}

process.on('SIGUSR2', () => {
  isRunning = !isRunning;
  void (isRunning ? start() : stop());
});
