// A tar archive from entries: the same entries give the same bytes, whatever their order, the machine and the day.
// POSIX.1-2001 (pax): ustar headers, and an extended header where ustar cannot say it (long or non-ASCII names, xattrs).
import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join, posix } from 'node:path';

interface Owned {
  /** Relative, without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A capability set as `setcap` writes it is the xattr `security.capability`. */
export interface FileEntry extends Owned {
  readonly kind: 'file';
  readonly content: Uint8Array | { readonly file: string };
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

export type TarEntry =
  | FileEntry
  | (Owned & { readonly kind: 'directory' })
  | (Omit<Owned, 'mode'> & { readonly kind: 'symlink'; readonly target: string });

export interface TreeOptions {
  /** Where the folder lands in the archive. */
  readonly at?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Paths relative to the folder; what is refused takes its subtree along. */
  readonly accepts?: (path: string) => boolean;
}

const blockBytes = 512;

/**
 * The entries of a folder. Modes are 755 for folders and what anybody may execute, else 644: the umask of whoever
 * checked the folder out must not show.
 */
export function entriesOf(folder: string, options: TreeOptions = {}): TarEntry[] {
  const { at = '', uid = 0, gid = 0, accepts = () => true } = options;
  const entries: TarEntry[] = [];
  const walk = (relative: string): void => {
    for (const name of readdirSync(join(folder, relative))) {
      const inside = posix.join(relative, name);
      if (!accepts(inside)) continue;
      const file = join(folder, inside);
      const path = posix.join(at, inside);
      const stats = lstatSync(file);
      if (stats.isSymbolicLink()) {
        entries.push({ kind: 'symlink', path, target: readlinkSync(file), uid, gid });
      } else if (stats.isDirectory()) {
        entries.push({ kind: 'directory', path, mode: 0o755, uid, gid });
        walk(inside);
      } else if (stats.isFile()) {
        const mode = (stats.mode & 0o111) === 0 ? 0o644 : 0o755;
        entries.push({ kind: 'file', path, mode, uid, gid, content: { file } });
      } else {
        throw new Error(`${file} is neither a file, a folder nor a symbolic link`);
      }
    }
  };
  walk('');
  return entries;
}

/** The bytes of the archive, parents before children; parents that no entry names are root's, 755. */
export async function* tarOf(entries: readonly TarEntry[], seconds: number): AsyncGenerator<Uint8Array> {
  for (const entry of withParents(entries)) {
    const size = entry.kind !== 'file' ? 0 : sizeOf(entry);
    const pax = paxRecords(entry);
    if (pax.length > 0) {
      const name = { kind: 'file', path: 'pax', mode: 0o644, content: pax } as const;
      yield header(name, 'x', pax.length, seconds);
      yield padded(pax);
    }
    yield header(entry, typeFlags[entry.kind], size, seconds);
    if (entry.kind !== 'file') continue;
    if (entry.content instanceof Uint8Array) {
      yield padded(entry.content);
      continue;
    }
    let read = 0;
    for await (const piece of createReadStream(entry.content.file, { highWaterMark: 1 << 20 })) {
      read += (piece as Buffer).length;
      yield piece as Buffer;
    }
    if (read !== size) throw new Error(`${entry.content.file} changed while it was read`);
    yield Buffer.alloc(paddingAfter(size));
  }
  yield Buffer.alloc(2 * blockBytes);
}

const typeFlags = { file: '0', symlink: '2', directory: '5' } as const;

function withParents(entries: readonly TarEntry[]): TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    const { path } = entry;
    if (path === '' || path.startsWith('/') || posix.normalize(path) !== path || path.startsWith('..'))
      throw new Error(`a path of an archive is relative and plain: ${path}`);
    if (byPath.has(path)) throw new Error(`two entries with one path: ${path}`);
    byPath.set(path, entry);
  }
  for (const path of byPath.keys())
    for (let parent = posix.dirname(path); parent !== '.'; parent = posix.dirname(parent)) {
      const known = byPath.get(parent);
      if (known !== undefined && known.kind === 'file') throw new Error(`${parent} is a file with children`);
      if (known === undefined) byPath.set(parent, { kind: 'directory', path: parent, mode: 0o755 });
    }
  // By code units and not by the locale; a parent is a prefix of its children and so comes first.
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function sizeOf(entry: FileEntry): number {
  return entry.content instanceof Uint8Array ? entry.content.length : lstatSync(entry.content.file).size;
}

function header(entry: TarEntry, type: string, size: number, seconds: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const text = (value: string, offset: number, bytes: number): void => {
    block.write(value, offset, bytes, 'latin1');
  };
  const octal = (value: number, offset: number, bytes: number): void => {
    const digits = value.toString(8);
    // 8 GiB and more, or owners above two million: nothing that an image of ours holds.
    if (digits.length >= bytes) throw new Error(`${entry.path}: ${value} does not fit into a tar header`);
    text(digits.padStart(bytes - 1, '0'), offset, bytes);
  };
  // Where the name does not fit, the pax header before this one has it.
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  text(fits(path) ? path : path.replaceAll(/[^\x20-\x7e]/g, '_').slice(0, 100), 0, 100);
  octal(entry.kind === 'symlink' ? 0o777 : entry.mode, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(seconds, 136, 12);
  text('        ', 148, 8);
  text(type, 156, 1);
  if (entry.kind === 'symlink' && fits(entry.target)) text(entry.target, 157, 100);
  text('ustar\0', 257, 6);
  text('00', 263, 2);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}

function fits(name: string): boolean {
  return /^[\x20-\x7e]*$/.test(name) && name.length <= 100;
}

function paxRecords(entry: TarEntry): Buffer {
  const records: Buffer[] = [];
  const add = (key: string, value: Uint8Array): void => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
    // A record's length counts its own digits.
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    records.push(Buffer.from(String(length)), rest);
  };
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  if (!fits(path)) add('path', Buffer.from(path));
  if (entry.kind === 'symlink' && !fits(entry.target)) add('linkpath', Buffer.from(entry.target));
  if (entry.kind === 'file')
    for (const name of Object.keys(entry.xattrs ?? {}).sort())
      add(`SCHILY.xattr.${name}`, entry.xattrs?.[name] ?? new Uint8Array());
  return Buffer.concat(records);
}

function paddingAfter(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function padded(content: Uint8Array): Uint8Array {
  return Buffer.concat([content, Buffer.alloc(paddingAfter(content.length))]);
}
