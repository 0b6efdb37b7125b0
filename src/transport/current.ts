// The transport of the runtime that this process runs on: the one place that chooses.
import type { Transport } from './transport.ts';

export const transport: Transport =
  process.versions['bun'] === undefined
    ? (await import('./node.ts')).nodeTransport
    : (await import('./bun.ts')).bunTransport;
