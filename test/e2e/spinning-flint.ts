// Flint with workers that can be made to spin: what a user starts has no way to it.
import { WorkerHandle } from '#dataplane/worker-handle.ts';

WorkerHandle.script = new URL('./spinning-worker.ts', import.meta.url);
await import('../../src/main.ts');
