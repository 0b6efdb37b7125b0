// The transport of the runtime that this process runs on: the one place that chooses.
import { nodeTransport } from './node.ts';
import type { Transport } from './transport.ts';

export const transport: Transport = nodeTransport;
