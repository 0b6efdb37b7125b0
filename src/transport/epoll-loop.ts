// The loop of one thread over the descriptors of our sockets, and how it shares the thread with Bun's own loop.
//
//   wait (epoll) --> events of sockets --> what must happen after them --> Bun has something to do, or 50 ms are over?
//      ^                                                                          | yes: one turn of Bun's loop
//      \--------------------------------------------------------------------------/
//
// Bun's epoll is one of the descriptors that are waited for, so a message of another thread or a socket of Bun's own ends
// the wait at once; what its sockets have put off gets a turn before the next wait; its timers, which no descriptor tells,
// run at most 50 ms late.
import { clock } from './clock.ts';
import { Epoll, Poll } from './libc.ts';
import { findRuntimeLoop } from './runtime-loop.ts';
import { runtimeTurn } from './runtime-turn.ts';

const longestWaitMs = 50;

export interface PollOwner {
  /** `ready` are bits of Poll. */
  onReady(ready: number): void;
}

export class EpollLoop {
  readonly #epoll = new Epoll();
  readonly #owners = new Map<number, PollOwner>();
  #later: (() => void)[] = [];
  #runtimeLoop: number | undefined = undefined;
  #isRuntimeReady = false;
  #isRunning = false;

  add(fd: number, interest: number, owner: PollOwner): void {
    this.#owners.set(fd, owner);
    this.#epoll.add(fd, interest);
    this.#start();
  }

  change(fd: number, interest: number): void {
    this.#epoll.change(fd, interest);
  }

  /** For a descriptor that is closed in this turn: the kernel forgets it by itself. */
  forget(fd: number): void {
    this.#owners.delete(fd);
  }

  remove(fd: number): void {
    this.#owners.delete(fd);
    this.#epoll.remove(fd);
  }

  /** Runs after the events of this turn: a descriptor that is closed then cannot be mistaken for a new one. */
  later(action: () => void): void {
    this.#later.push(action);
    this.#start();
  }

  #start(): void {
    if (this.#isRunning) return;
    if (this.#runtimeLoop === undefined) {
      this.#runtimeLoop = findRuntimeLoop();
      if (this.#runtimeLoop !== undefined) this.#epoll.add(this.#runtimeLoop, Poll.In);
    }
    this.#isRunning = true;
    // Never within the call that gave the loop its first work.
    setImmediate(() => {
      this.#run().catch((error: unknown) => {
        this.#isRunning = false;
        // An error of an event: nothing can be trusted after it, and whoever owns the thread replaces it.
        setImmediate(() => {
          throw error;
        });
      });
    });
  }

  /** For as long as there is anything to wait for: an idle process may end. */
  async #run(): Promise<void> {
    let yieldedMs = clock.now();
    while (this.#owners.size > 0 || this.#later.length > 0) {
      this.#epoll.wait(this.#later.length > 0 ? 0 : longestWaitMs, this.#onReady);
      clock.forget();
      this.#runLater();
      const isDue = this.#isRuntimeReady || runtimeTurn.isWanted;
      if (!isDue && clock.now() - yieldedMs < longestWaitMs) continue;
      this.#isRuntimeReady = false;
      runtimeTurn.isWanted = false;
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      clock.forget();
      yieldedMs = clock.now();
    }
    this.#isRunning = false;
  }

  readonly #onReady = (fd: number, ready: number): void => {
    if (fd === this.#runtimeLoop) this.#isRuntimeReady = true;
    else {
      clock.forget();
      this.#owners.get(fd)?.onReady(ready);
    }
  };

  #runLater(): void {
    while (this.#later.length > 0) {
      const actions = this.#later;
      this.#later = [];
      for (const action of actions) action();
    }
  }
}
