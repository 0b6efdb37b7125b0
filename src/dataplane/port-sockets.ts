// What Linux says of TCP at some ports, in the network of this process: who listens there, and who is halfway in.
import { readFile } from 'node:fs/promises';

const tables = ['/proc/net/tcp', '/proc/net/tcp6'];
/** States as they stand in the tables: TCP_LISTEN, TCP_SYN_RECV. */
const listening = '0A';
const halfway = '03';

export interface PortSockets {
  /** Listening sockets of all processes. */
  readonly listeners: number;
  /** Clients that have been answered and whose answer to that has not come yet. */
  readonly halfway: number;
}

/** For each port; nothing at all where the system does not tell. */
export async function socketsAt(ports: readonly number[]): Promise<PortSockets[]> {
  const texts = await Promise.all(tables.map((table) => readFile(table, 'latin1').catch(() => '')));
  const text = texts.join('');
  return ports.map((port) => ({
    listeners: countIn(text, port, listening),
    halfway: countIn(text, port, halfway),
  }));
}

/** In a table of proc_net_tcp(5): `  0: 0100007F:1F90 00000000:0000 0A ...`, a line for each socket. */
function countIn(text: string, port: number, state: string): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(`^ *\\d+: [\\dA-F]+:${hex} [\\dA-F]+:[\\dA-F]{4} ${state} `, 'gm');
  return text.match(line)?.length ?? 0;
}
