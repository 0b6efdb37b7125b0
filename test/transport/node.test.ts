// The transport contract, on Node.
import { test } from 'node:test';
import { nodeTransport } from '#transport/node.ts';
import { contract } from './contract.ts';

for (const [name, check] of Object.entries(contract))
  test(name, { timeout: 30_000 }, () => check(nodeTransport));
