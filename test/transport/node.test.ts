// The transport contracts, on Node.
import { test } from 'node:test';
import { nodeSecureTransport } from '#transport/node-tls.ts';
import { nodeTransport } from '#transport/node.ts';
import { contract } from './contract.ts';
import { tlsContract } from './tls-contract.ts';

for (const [name, check] of Object.entries(contract))
  test(name, { timeout: 30_000 }, () => check(nodeTransport));

for (const [name, check] of Object.entries(tlsContract))
  test(`TLS: ${name}`, { timeout: 30_000 }, () => check(nodeSecureTransport));
