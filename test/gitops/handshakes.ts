// New TLS connections, one after the other on several lanes: which certificate each of them was given, and which failed.
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Who must have signed what is served. */
  readonly ca: string;
  readonly name: string;
}

export interface Handshake {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly fingerprint: string;
}

/** The certificate of one connection; rejects when the handshake fails or nobody trustworthy has signed it. */
export async function shakeHands({ host, port, ca, name }: Endpoint): Promise<Handshake> {
  const startedMs = performance.now();
  const socket = connect({ host, port, ca, servername: name });
  try {
    await once(socket, 'secureConnect');
    return { startedMs, endedMs: performance.now(), fingerprint: fingerprintOf(socket) };
  } finally {
    socket.destroy();
  }
}

function fingerprintOf(socket: TLSSocket): string {
  return socket.getPeerCertificate().fingerprint256;
}

export class Handshakes {
  readonly done: Handshake[] = [];
  readonly failures: string[] = [];
  readonly #lanes: readonly Promise<void>[];
  #isStopped = false;

  constructor(endpoint: Endpoint, lanes = 3) {
    this.#lanes = Array.from({ length: lanes }, () => this.#run(endpoint));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#lanes);
  }

  async #run(endpoint: Endpoint): Promise<void> {
    while (!this.#isStopped)
      await shakeHands(endpoint).then(
        (handshake) => this.done.push(handshake),
        (error: unknown) => this.failures.push(String(error)),
      );
  }
}
