// A network device whose other end is far away: hack/runtime bun test/cluster/long-way.ts NAME ADDRESS MILLISECONDS
//
// Prints `up` and runs until it is killed. What is sent to any other address of the device's network of 30 bits comes back
// after that time, its two addresses exchanged: so whoever connects to the neighbour's address reaches a listener of its own
// machine at ADDRESS, a long way from it. Checksums of IP, TCP and UDP stay right when the addresses change places.
import { spawnSync } from 'node:child_process';

type Pointer = number & { readonly pointer: unique symbol };

interface Libc {
  open(path: Pointer, flags: number): number;
  ioctl(fd: number, request: number, argument: Pointer): number;
  poll(descriptors: Pointer, count: number, timeoutMs: number): number;
  read(fd: number, bytes: Pointer, length: number): bigint;
  write(fd: number, bytes: Pointer, length: number): bigint;
}

interface Ffi {
  dlopen(library: string, symbols: object): { readonly symbols: Libc };
  ptr(view: NodeJS.ArrayBufferView): Pointer;
}

const ffiModule: string = 'bun:ffi';
const ffi = (await import(ffiModule)) as Ffi;
const libc = ffi.dlopen('libc.so.6', {
  open: { args: ['ptr', 'i32'], returns: 'i32' },
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
  poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' },
  read: { args: ['i32', 'ptr', 'u64'], returns: 'i64' },
  write: { args: ['i32', 'ptr', 'u64'], returns: 'i64' },
}).symbols;

const O_RDWR_NONBLOCK = 2 | 0x800;
const TUNSETIFF = 0x4004_54ca;
const IFF_TUN_NO_PI = 0x0001 | 0x1000;
const POLLIN = 1;
const mostBytes = 65_536;

const [name = '', address = '', delay = ''] = process.argv.slice(2);
const delayMs = Number(delay);

const fd = libc.open(ffi.ptr(Buffer.from('/dev/net/tun\0')), O_RDWR_NONBLOCK);
if (fd < 0) throw new Error('/dev/net/tun cannot be opened');
// struct ifreq: a name of 16 bytes, then the flags.
const request = Buffer.alloc(40);
request.write(name, 'latin1');
request.writeUInt16LE(IFF_TUN_NO_PI, 16);
if (libc.ioctl(fd, TUNSETIFF, ffi.ptr(request)) < 0) throw new Error(`no device ${name} can be made`);
for (const args of [
  ['addr', 'add', `${address}/30`, 'dev', name],
  ['link', 'set', name, 'up'],
]) {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
process.stdout.write('up\n');

const onTheWay: { readonly dueMs: number; readonly packet: Buffer }[] = [];
const bytes = Buffer.alloc(mostBytes);
const descriptor = Buffer.alloc(8);
descriptor.writeInt32LE(fd, 0);
descriptor.writeInt16LE(POLLIN, 4);
for (;;) {
  const waitMs = onTheWay.length === 0 ? 1000 : Math.ceil(onTheWay[0]!.dueMs - performance.now());
  libc.poll(ffi.ptr(descriptor), 1, Math.max(0, waitMs));
  for (let size = read(); size > 0; size = read()) {
    const packet = Buffer.from(bytes.subarray(0, size));
    // Of IPv4 alone: source and destination, four bytes each.
    if (packet[0]! >> 4 !== 4) continue;
    bytes.copy(packet, 12, 16, 20);
    bytes.copy(packet, 16, 12, 16);
    onTheWay.push({ dueMs: performance.now() + delayMs, packet });
  }
  while (onTheWay.length > 0 && onTheWay[0]!.dueMs <= performance.now()) {
    const { packet } = onTheWay.shift()!;
    libc.write(fd, ffi.ptr(packet), packet.length);
  }
}

function read(): number {
  return Number(libc.read(fd, ffi.ptr(bytes), mostBytes));
}
