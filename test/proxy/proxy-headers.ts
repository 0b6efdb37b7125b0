// Headers of the PROXY protocol as a load balancer writes them, and as it should not.

/** A line of version 1. */
export function line1(text: string): Buffer {
  return Buffer.from(`${text}\r\n`, 'latin1');
}

export interface Header2 {
  readonly version?: number;
  /** 0 LOCAL, 1 PROXY. */
  readonly command?: number;
  /** Address family and protocol: 0x11 is TCP over IPv4. */
  readonly family: number;
  /** Addresses, and whatever else there is to say. */
  readonly rest?: Buffer;
}

export function header2({ version = 2, command = 1, family, rest = Buffer.alloc(0) }: Header2): Buffer {
  const start = Buffer.from('\r\n\r\n\0\r\nQUIT\n....', 'latin1');
  start[12] = version * 16 + command;
  start[13] = family;
  start.writeUInt16BE(rest.length, 14);
  return Buffer.concat([start, rest]);
}

function ports(source: number, destination: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(source, 0);
  bytes.writeUInt16BE(destination, 2);
  return bytes;
}

type Numbers = readonly number[];

/** Four numbers an address. */
export function ipv4Block(source: Numbers, destination: Numbers, from: number, to: number): Buffer {
  return Buffer.concat([Buffer.from(source), Buffer.from(destination), ports(from, to)]);
}

/** Eight groups an address. */
export function ipv6Block(source: Numbers, destination: Numbers, from: number, to: number): Buffer {
  const groups = Buffer.alloc(32);
  for (const [index, group] of [...source, ...destination].entries()) groups.writeUInt16BE(group, index * 2);
  return Buffer.concat([groups, ports(from, to)]);
}
