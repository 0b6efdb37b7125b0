// The system calls of Linux, called from Bun: the one file that knows pointers and the layout of C structures.
//
// Every buffer that the kernel writes to is allocated here once, lives as long as the thread and stands on an ArrayBuffer
// of its own: the bytes of a small typed array without one may move, and a pointer to them with it. A buffer that the
// kernel reads from is used within the call. Little is decided by errno: the runtime may call the system in between.
import { addressBytes, ipv4Text, ipv6Text } from './address.ts';
import { DescriptorLedger } from './descriptor-ledger.ts';
import { synFilter } from './syn-filter.ts';

type Pointer = number & { readonly pointer: unique symbol };

/** What is used of bun:ffi. */
interface Ffi {
  dlopen(
    library: string,
    symbols: Readonly<Record<string, { readonly args: readonly string[]; readonly returns: string }>>,
  ): { readonly symbols: Libc };
  ptr(view: NodeJS.ArrayBufferView, byteOffset?: number): Pointer;
  readonly read: { i32(pointer: Pointer, offset: number): number };
}

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: NodeJS.ArrayBufferView, length: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Pointer, length: Pointer, flags: number): number;
  connect(fd: number, address: NodeJS.ArrayBufferView, length: number): number;
  getsockname(fd: number, address: Pointer, length: Pointer): number;
  getsockopt(fd: number, level: number, name: number, value: Pointer, length: Pointer): number;
  setsockopt(fd: number, level: number, name: number, value: NodeJS.ArrayBufferView, length: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Pointer): number;
  epoll_wait(epoll: number, events: Pointer, most: number, timeoutMs: number): number;
  recv(fd: number, bytes: Pointer, length: number, flags: number): number;
  send(fd: number, bytes: Pointer, length: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  __errno_location(): Pointer;
}

const int = 'i32';
const signatures = {
  socket: { args: [int, int, int], returns: int },
  bind: { args: [int, 'ptr', int], returns: int },
  listen: { args: [int, int], returns: int },
  accept4: { args: [int, 'ptr', 'ptr', int], returns: int },
  connect: { args: [int, 'ptr', int], returns: int },
  getsockname: { args: [int, 'ptr', 'ptr'], returns: int },
  getsockopt: { args: [int, int, int, 'ptr', 'ptr'], returns: int },
  setsockopt: { args: [int, int, int, 'ptr', int], returns: int },
  epoll_create1: { args: [int], returns: int },
  epoll_ctl: { args: [int, int, int, 'ptr'], returns: int },
  epoll_wait: { args: [int, 'ptr', int, int], returns: int },
  // Never more than 2 GiB at a time: the result fits in an int.
  recv: { args: [int, 'ptr', 'usize', int], returns: int },
  send: { args: [int, 'ptr', 'usize', int], returns: int },
  shutdown: { args: [int, int], returns: int },
  close: { args: [int], returns: int },
  __errno_location: { args: [], returns: 'ptr' },
} as const satisfies Record<keyof Libc, { readonly args: readonly string[]; readonly returns: string }>;

const ffiModule: string = 'bun:ffi';
const ffi = (await import(ffiModule)) as Ffi;
const libc = ffi.dlopen('libc.so.6', signatures).symbols;

// Constants of <sys/socket.h>, <netinet/tcp.h> and <sys/epoll.h>, the same on x86-64 and arm64.
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0x800 | 0x80000;
const NONBLOCK_CLOEXEC = 0x800 | 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const SO_ATTACH_FILTER = 26;
const SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const SHUT_WR = 1;
const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
/** ENOMEM, ENFILE, EMFILE, ENOBUFS: there is no room for another descriptor. */
const spent: readonly number[] = [12, 23, 24, 105];

/** PeerEnd (EPOLLRDHUP): a FIN has come; bytes may lie before it. */
export const Poll = { In: 1, Out: 4, Error: 8, HangUp: 16, PeerEnd: 0x2000 } as const;

const errorNames: Readonly<Record<number, string>> = {
  13: 'EACCES',
  24: 'EMFILE',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
  101: 'ENETUNREACH',
  103: 'ECONNABORTED',
  104: 'ECONNRESET',
  110: 'ETIMEDOUT',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
};

export function errorName(code: number): string {
  return errorNames[code] ?? `E${code}`;
}

function lastError(): number {
  return ffi.read.i32(libc.__errno_location(), 0);
}

/** Bytes that stay where they are. */
export function lasting(bytes: number): ArrayBuffer {
  return new ArrayBuffer(Math.max(bytes, 4096));
}

/**
 * The kernel knows processes, not threads: what a thread leaves open when it dies would stay so, its listener with its
 * share of all new connections. Of a thread that is terminated Bun tells no exit: then whoever ended it closes them.
 */
const open = new DescriptorLedger();
process.on('exit', () => {
  for (const fd of open.takeAll()) libc.close(fd);
});

/** From here on `memory` says what this thread holds. */
export function noteDescriptors(memory: SharedArrayBuffer): void {
  open.moveTo(memory);
}

/** Of a thread that has ended. */
export function closeDescriptors(memory: SharedArrayBuffer): void {
  for (const fd of new DescriptorLedger(memory).takeAll()) libc.close(fd);
}

function opened(fd: number): number {
  if (fd >= 0) open.add(fd);
  return fd;
}

const one = Int32Array.of(1);
const lingerZero = Int32Array.of(1, 0);
/** Of the largest address. */
const addressRoom = 128;
const foundAddress = new Uint8Array(lasting(addressRoom));
const foundLength = new Int32Array(lasting(4));
const foundAddressPointer = ffi.ptr(foundAddress);
const foundLengthPointer = ffi.ptr(foundLength);
const option = new Int32Array(lasting(4));
const optionPointer = ffi.ptr(option);

// Addresses

const known = new Map<string, Uint8Array>();
const mostKnown = 65_536;

/** A sockaddr_in or sockaddr_in6; undefined for what is no IP address. */
function socketAddress(address: string, port: number): Uint8Array | undefined {
  const key = `${address} ${port}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const bytes = addressBytes(address);
  if (bytes === undefined) return undefined;
  const isIpv4 = bytes.length === 4;
  const made = new Uint8Array(isIpv4 ? 16 : 28);
  // The family is in the byte order of the machine, and all that Bun runs on are little-endian.
  made[0] = isIpv4 ? AF_INET : AF_INET6;
  made[2] = port >> 8;
  made[3] = port & 255;
  made.set(bytes, isIpv4 ? 4 : 8);
  if (known.size >= mostKnown) known.clear();
  known.set(key, made);
  return made;
}

/** Of the address that the last accept or socketPort has found. */
export function foundPeer(): { readonly address: string; readonly port: number } {
  const isIpv4 = foundAddress[0] === AF_INET;
  return {
    address: isIpv4 ? ipv4Text(foundAddress, 4) : ipv6Text(foundAddress, 8),
    port: foundAddress[2]! * 256 + foundAddress[3]!,
  };
}

/** The local port of a socket; 0 for what is none. */
export function socketPort(fd: number): number {
  foundLength[0] = addressRoom;
  if (libc.getsockname(fd, foundAddressPointer, foundLengthPointer) !== 0) return 0;
  const isInternet = foundAddress[0] === AF_INET || foundAddress[0] === AF_INET6;
  return isInternet ? foundAddress[2]! * 256 + foundAddress[3]! : 0;
}

// Sockets

/** A listening socket. Throws an error with the system's code. */
export function openListener(host: string, port: number, reusePort: boolean, backlog: number): number {
  const address = socketAddress(host, port);
  if (address === undefined) throw new Error(`listen: "${host}" is no IP address`);
  const fd = libc.socket(address[0]!, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  let hasFailed = fd < 0;
  if (!hasFailed) {
    libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, 4);
    if (reusePort) libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, one, 4);
    // Inherited by what is accepted: one call less for each connection.
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, 4);
    hasFailed = libc.bind(fd, address, address.length) !== 0 || libc.listen(fd, backlog) !== 0;
  }
  if (!hasFailed) return opened(fd);
  const code = errorName(lastError());
  if (fd >= 0) libc.close(fd);
  throw Object.assign(new Error(`listen ${code}: ${host}:${port}`), { code });
}

/** struct sock_filter, 8 bytes each: {code: u16, jt: u8, jf: u8, k: u32}, on machines that are little-endian. */
const synFilterWords = new Uint32Array(lasting(synFilter.length * 8));
for (const [index, [code, ifSo, ifNot, operand]] of synFilter.entries())
  synFilterWords.set([code | (ifSo << 16) | (ifNot << 24), operand], index * 2);

/** Nobody begins to connect to this listener any more; who has begun can finish. False: the system does not do that. */
export function dropNewHandshakes(fd: number): boolean {
  // struct sock_fprog, 16 bytes: {len: u16, filter: pointer}. The kernel copies both.
  const program = BigUint64Array.of(BigInt(synFilter.length), BigInt(ffi.ptr(synFilterWords)));
  return libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, 16) === 0;
}

/** The descriptor of the next connection; `None` when there is no more, `Spent` when there is no room for it. */
export function accept(fd: number): number | 'None' | 'Spent' {
  foundLength[0] = addressRoom;
  const accepted = libc.accept4(fd, foundAddressPointer, foundLengthPointer, NONBLOCK_CLOEXEC);
  if (accepted >= 0) return opened(accepted);
  return spent.includes(lastError()) ? 'Spent' : 'None';
}

/** A socket that is connecting; -1 when there is none to be had, or no such address. Whether it fails is told by its events. */
export function openConnection(host: string, port: number): number {
  const address = socketAddress(host, port);
  if (address === undefined) return -1;
  const fd = opened(libc.socket(address[0]!, SOCK_STREAM_NONBLOCK_CLOEXEC, 0));
  if (fd < 0) return -1;
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, 4);
  libc.connect(fd, address, address.length);
  return fd;
}

/** The error that waits at a socket, which is forgotten with this; 0 for none. */
export function socketError(fd: number): number {
  return socketOption(fd, SO_ERROR);
}

export function isListening(fd: number): boolean {
  return socketOption(fd, SO_ACCEPTCONN) === 1;
}

/** 0 also for what is no socket. */
function socketOption(fd: number, name: number): number {
  foundLength[0] = 4;
  const hasFailed = libc.getsockopt(fd, SOL_SOCKET, name, optionPointer, foundLengthPointer) !== 0;
  return hasFailed ? 0 : option[0]!;
}

/** Bytes taken, 0 for none just now: whatever the reason, the socket's events tell it. */
export function send(fd: number, bytes: Buffer, start: number, end: number): number {
  // Beyond its end the kernel would read somebody else's bytes.
  if (start < 0 || end > bytes.length || start >= end)
    throw new RangeError(`${start} to ${end} of ${bytes.length}`);
  return Math.max(0, libc.send(fd, ffi.ptr(bytes, start), end - start, MSG_DONTWAIT_NOSIGNAL));
}

export function shutdownWrite(fd: number): void {
  libc.shutdown(fd, SHUT_WR);
}

export function close(fd: number): void {
  open.delete(fd);
  libc.close(fd);
}

/** The next close sends RST. */
export function closeWithReset(fd: number): void {
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, lingerZero, 8);
}

// Reading

/** Half a megabyte: a large body costs few system calls. */
const readBytes = 524_288;
const readBuffer = Buffer.allocUnsafeSlow(readBytes);
const readPointer = ffi.ptr(readBuffer);

/** Bytes of the peer, valid until the next call; empty after its FIN; undefined when nothing can be read. */
export function receive(fd: number): Buffer | undefined {
  const size = libc.recv(fd, readPointer, readBytes, MSG_DONTWAIT_NOSIGNAL);
  return size < 0 ? undefined : readBuffer.subarray(0, size);
}

// Polling

/** struct epoll_event is packed on x86-64 alone: {events, data} in 12 bytes there, in 16 elsewhere. */
const eventWords = process.arch === 'x64' ? 3 : 4;
const dataWord = eventWords - 2;
const mostEvents = 256;
const oneEvent = new Int32Array(lasting(eventWords * 4));
const oneEventPointer = ffi.ptr(oneEvent);
const events = new Int32Array(lasting(eventWords * 4 * mostEvents));
const eventsPointer = ffi.ptr(events);

export class Epoll {
  readonly #fd: number = opened(libc.epoll_create1(EPOLL_CLOEXEC));

  add(fd: number, interest: number): void {
    this.#control(EPOLL_CTL_ADD, fd, interest);
  }

  change(fd: number, interest: number): void {
    this.#control(EPOLL_CTL_MOD, fd, interest);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  /** Calls `onEvent` for every descriptor that is ready, within `timeoutMs`. */
  wait(timeoutMs: number, onEvent: (fd: number, ready: number) => void): void {
    const count = libc.epoll_wait(this.#fd, eventsPointer, mostEvents, timeoutMs);
    for (let index = 0; index < count; index++)
      onEvent(events[index * eventWords + dataWord]!, events[index * eventWords]!);
  }

  #control(operation: number, fd: number, interest: number): void {
    oneEvent[0] = interest;
    oneEvent[dataWord] = fd;
    libc.epoll_ctl(this.#fd, operation, fd, oneEventPointer);
  }
}
