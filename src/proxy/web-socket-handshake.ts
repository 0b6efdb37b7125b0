// What WebSocket over HTTP/1 has and over HTTP/2 has not: a key, and the proof that the server has read it (RFC 6455 4.2.2,
// RFC 8441 5). We are the client of that handshake where ours speaks HTTP/2.
import { createHash, randomBytes } from 'node:crypto';
import type { ResponseHead } from '#http/message-head.ts';

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function newWebSocketKey(): string {
  return randomBytes(16).toString('base64');
}

/** Whether the backend's 101 answers the request with this key, and nothing cached or made up. */
export function provesKey(head: ResponseHead, key: string): boolean {
  const proof = createHash('sha1').update(`${key}${guid}`).digest('base64');
  return head.fields.combined('sec-websocket-accept') === proof;
}
