// X-Request-Id: 128 random bits in hex, drawn in batches because one call for 512 ids costs little more than for one.
import { randomFillSync } from 'node:crypto';

const idBytes = 16;
const batch = 512;
const pool = Buffer.allocUnsafe(idBytes * batch);
let hex = '';
let next = batch;

export function newRequestId(): string {
  if (next === batch) {
    randomFillSync(pool);
    hex = pool.toString('hex');
    next = 0;
  }
  const at = next++ * idBytes * 2;
  return hex.slice(at, at + idBytes * 2);
}
