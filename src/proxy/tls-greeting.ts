// An accepted connection until it is a client connection with TLS: its first bytes say for which name it is made.
//
//   [PROXY header] --> ClientHello --> context of that name --> handshake --> ClientConnection
//                         |\-- a host whose backends end TLS --> Passthrough
//                         \-- no name, no certificate, not TLS: an alert, and the end
import type { TlsVersion } from '#model/route-model.ts';
import type { CompiledRoute } from '#route/compiled-route.ts';
import { Alert, fatalAlert } from '#tls/alert.ts';
import { parseClientHello } from '#tls/client-hello.ts';
import type { ClientHello } from '#tls/client-hello.ts';
import type { ClientProof, SecureEvents, SecureTransport } from '#transport/secure-transport.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Socket, SocketEvents } from '#transport/transport.ts';
import { ClientConnection } from './client-connection.ts';
import type { ConnectionOwner, OpenConnection } from './open-connection.ts';
import { Http2Connection } from './http2-connection.ts';
import { clientLinesOf } from './client-lines.ts';
import { LingeringClose } from './lingering-close.ts';
import { Passthrough } from './passthrough.ts';
import { Peer } from './peer.ts';
import type { Security } from './peer.ts';
import type { HandshakeOutcome } from './connection-words.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { SelectedTls, ServingTable } from './serving-table.ts';

/** What is spoken over TLS here, the preferred one first. */
const protocols: readonly string[] = ['h2', 'http/1.1'];
/** As a ClientHello says it. */
const lowestOf: Readonly<Record<TlsVersion, number>> = { '1.2': 0x0303, '1.3': 0x0304 };
const nothing = Buffer.alloc(0);

export class TlsGreeting implements SocketEvents, TimerOwner, OpenConnection {
  readonly isIdle = true;
  readonly idleSinceMs: number;
  /** A ClientHello, too small to count. */
  readonly heldBytes = 0;
  readonly #context: ProxyContext;
  readonly #owner: ConnectionOwner;
  readonly #transport: SecureTransport;
  readonly #peer: Peer;
  readonly #timer: Timer;
  #socket: Socket;
  #received: Buffer = nothing;
  /** How it ended is known, and counted. */
  #isDecided = false;
  #lingering: LingeringClose | undefined = undefined;

  constructor(context: ProxyContext, owner: ConnectionOwner, transport: SecureTransport, socket: Socket) {
    this.#context = context;
    this.#owner = owner;
    this.#transport = transport;
    this.#socket = socket;
    this.#peer = new Peer(context, socket.remoteAddress, 'https');
    this.#timer = new Timer(this);
    this.idleSinceMs = context.now();
    const timeoutMs = context.table?.settings.headTimeoutMs ?? 0;
    if (timeoutMs > 0) context.timers.set(this.#timer, timeoutMs);
  }

  onBytes(bytes: Buffer): void {
    this.#lingering?.onBytes();
    if (this.#isDecided) return;
    const isIntroduction = this.#peer.isUnknown;
    const rest = isIntroduction ? this.#peer.introduce(this.#context, bytes) : bytes;
    const isKnown = isIntroduction && !this.#peer.isUnknown;
    if (rest === undefined) this.#end('malformed');
    else if (isKnown && !this.#owner.onConnectionIntroduced(this, this.#peer.address)) return;
    else if (!this.#peer.isUnknown) this.#greet(Buffer.concat([this.#received, rest]));
  }

  #greet(received: Buffer): void {
    this.#received = received;
    if (received.length === 0) return;
    const read = parseClientHello(received);
    switch (read.kind) {
      case 'Incomplete':
        return;
      case 'NotTls':
        // Whoever speaks no TLS understands no alert.
        this.#end('not-tls');
        return;
      case 'Refused':
        this.#refuse(read.alert, 'malformed');
        return;
      case 'Hello':
        this.#answer(read.hello);
    }
  }

  #answer({ serverName, version }: ClientHello): void {
    const { table } = this.#context;
    const selection = table?.selectTls(serverName);
    switch (selection?.kind) {
      case undefined:
      case 'NoCertificate':
        this.#refuse(Alert.InternalError, 'no-certificate');
        return;
      case 'UnknownName':
        this.#refuse(Alert.UnrecognizedName, 'unknown-name');
        return;
      case 'Passthrough':
        this.#passThrough(table!, selection.route, serverName ?? '');
        return;
      case 'Selected': {
        if (version < lowestOf[selection.minVersion]) {
          this.#refuse(Alert.ProtocolVersion, 'version-too-low');
          return;
        }
        const received = this.#received;
        this.#received = nothing;
        this.#socket = this.#transport.secure(
          this.#socket,
          received,
          selection.context,
          protocols,
          new Handshake(this, serverName ?? '', selection),
        );
      }
    }
  }

  /** The handshake is over: the connection goes on as one of HTTP, of the version that was agreed on. */
  becomeConnection(security: Security, protocol: string): void {
    this.#decide('completed');
    this.#peer.secure(this.#context, security);
    const Connection = protocol === 'h2' ? Http2Connection : ClientConnection;
    const connection = new Connection(this.#context, this.#owner, this.#socket, this.#peer);
    this.#socket.events = connection;
    this.#owner.onConnectionReplaced(this, connection);
  }

  /** It has no certificate that is believed, where that is a must. */
  refuseClient(): void {
    this.#end('client-refused');
  }

  #passThrough(table: ServingTable, route: CompiledRoute, serverName: string): void {
    this.#decide('passed-through');
    const { address } = this.#peer;
    const received = this.#received;
    this.#received = nothing;
    const passthrough = new Passthrough(
      this.#context,
      this.#owner,
      this.#socket,
      table,
      route,
      serverName,
      address,
      received,
    );
    this.#socket.events = passthrough;
    this.#owner.onConnectionReplaced(this, passthrough);
    passthrough.begin();
  }

  #refuse(alert: Alert, outcome: HandshakeOutcome): void {
    // First, so that whoever has heard finds it counted.
    this.#decide(outcome);
    const record = fatalAlert(alert);
    this.#socket.write(record, 0, record.length);
    this.#received = nothing;
    this.#lingering = new LingeringClose(this.#context, this.#socket, () => this.destroy());
  }

  onDrain(): void {}

  onEnd(): void {
    this.#socket.destroy();
  }

  onClose(): void {
    this.#decide('failed');
    this.#lingering?.onClose();
    this.#owner.onConnectionClosed(this);
  }

  onTimer(): void {
    this.#end('timeout');
  }

  #end(outcome: HandshakeOutcome): void {
    this.#decide(outcome);
    this.#socket.destroy();
  }

  /** Once: what comes after it changes nothing. */
  #decide(outcome: HandshakeOutcome): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.#context.timers.clear(this.#timer);
    this.#context.observer.onHandshakeEnd(outcome);
  }

  announceEnd(): void {}

  closeWaiting(): void {
    this.destroy();
  }

  shed(): void {}

  destroy(): void {
    this.#end('failed');
  }
}

/** The events of a secured socket until its handshake is over. */
class Handshake implements SecureEvents {
  readonly #greeting: TlsGreeting;
  readonly #serverName: string;
  readonly #selection: SelectedTls;

  constructor(greeting: TlsGreeting, serverName: string, selection: SelectedTls) {
    this.#greeting = greeting;
    this.#serverName = serverName;
    this.#selection = selection;
  }

  onSecured(protocol: string, proof: ClientProof): void {
    const { tlsKey, validationKey, clients } = this.#selection;
    if (clients === 'Required' && proof.kind !== 'Verified') {
      this.#greeting.refuseClient();
      return;
    }
    const clientLines = clients === 'NotAsked' ? '' : clientLinesOf(proof);
    const security = { serverName: this.#serverName, tlsKey, validationKey, clientLines };
    this.#greeting.becomeConnection(security, protocol);
  }

  onBytes(): void {}

  onDrain(): void {}

  onEnd(): void {
    this.#greeting.onEnd();
  }

  onClose(): void {
    this.#greeting.onClose();
  }
}
