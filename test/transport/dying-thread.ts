// Two threads on one port, of which the first dies: prints what forty clients get then, as JSON. Runs on Bun.
import { once } from 'node:events';
import { connect } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { transport } from '#transport/current.ts';

function die(): void {
  setTimeout(() => {
    throw new Error('it dies');
  });
}

async function serve(port: number): Promise<void> {
  const listener = await transport.listen({ host: '127.0.0.1', port, reusePort: true }, (socket) => ({
    onBytes: (bytes) => {
      if (bytes.toString() === 'die') die();
      else socket.write(bytes, 0, bytes.length);
    },
    onDrain: () => {},
    onEnd: () => socket.end(),
    onClose: () => {},
  }));
  parentPort?.postMessage(listener.port);
}

async function startThread(port: number): Promise<{ readonly worker: Worker; readonly port: number }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: port });
  worker.on('error', () => {});
  const [bound] = (await once(worker, 'message')) as [number];
  return { worker, port: bound };
}

/** What comes back, or how the connection ends. */
function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    const timer = setTimeout(() => resolve('nothing'), 5000);
    socket.on('data', (bytes) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(bytes.toString());
    });
    socket.on('error', () => resolve('broken'));
    socket.on('close', () => resolve('closed'));
  });
}

async function main(): Promise<void> {
  const first = await startThread(0);
  const open = connect(first.port, '127.0.0.1');
  open.on('error', () => {});
  await once(open, 'connect');
  const isOver = new Promise((resolve) => open.on('close', resolve));
  const died = new Promise((resolve) => first.worker.on('exit', resolve));
  const last = await ask(first.port, 'die');
  await died;
  await isOver;
  await startThread(first.port);
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(first.port, 'hello')));
  process.stdout.write(`${JSON.stringify({ last, answers: [...new Set(answers)] })}\n`);
  process.exit(0);
}

if (isMainThread) await main();
else await serve(workerData as number);
