// The entry of a worker thread that can be told to die, on Bun.
import './dying-thread.ts';
import '../../src/dataplane/worker.ts';
