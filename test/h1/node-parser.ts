// Node's own HTTP/1 parser (llhttp), reached through a server that never listens and gets its connections by hand.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { setImmediate as immediate } from 'node:timers/promises';
import type { Ending, ParsedRequest, ParsedRequests } from './parsed-requests.ts';

/** At the end of input inside a message llhttp reports an error of its own. */
const unfinishedCode = 'HPE_INVALID_EOF_STATE';

class Connection extends Duplex {
  readonly requests: ParsedRequest[] = [];
  ending: Ending = { kind: 'Idle' };

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }

  onRequest(message: IncomingMessage): void {
    const request: ParsedRequest = {
      method: message.method ?? '',
      target: message.url ?? '',
      version: message.httpVersion,
      fields: message.rawHeaders,
      body: '',
      isComplete: false,
    };
    this.requests.push(request);
    message.setEncoding('latin1');
    message.on('data', (text: string) => {
      request.body += text;
    });
    message.on('end', () => {
      request.isComplete = true;
    });
    message.on('error', () => {});
  }

  onRefusal(code: string): void {
    this.ending = code === unfinishedCode ? { kind: 'Unfinished' } : { kind: 'Refused', code };
  }
}

export class NodeParser {
  /** Host is left to the comparison, since it is the server's business and not the parser's. */
  readonly #server = createServer({
    maxHeaderSize: 65_536,
    requireHostHeader: false,
    insecureHTTPParser: false,
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: 0,
  });

  constructor() {
    this.#server.maxHeadersCount = 0;
    const onMessage = (message: IncomingMessage): void => {
      if (message.socket instanceof Connection) message.socket.onRequest(message);
    };
    for (const event of ['request', 'checkContinue', 'checkExpectation']) this.#server.on(event, onMessage);
    this.#server.on('connect', onMessage);
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (socket instanceof Connection) socket.onRefusal(error.code ?? error.message);
    });
  }

  async parse(bytes: Buffer): Promise<ParsedRequests> {
    const connection = new Connection({ allowHalfOpen: true });
    connection.on('error', () => {});
    this.#server.emit('connection', connection);
    const ended = once(connection, 'end');
    if (bytes.length > 0) connection.push(bytes);
    connection.push(null);
    await ended;
    // Bodies come out of their streams a turn after the parser has put them in.
    await immediate();
    await immediate();
    connection.destroy();
    return { requests: connection.requests, ending: connection.ending };
  }
}
