// A gRPC service of four methods, one of each kind, whose messages are bytes: its backend, its objects and its clients.
import { Client, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import type {
  ClientOptions,
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
  ServiceDefinition,
  ServiceError,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Cleanup } from './backends.ts';
import type { FlintProcess } from './flint-process.ts';
import { host } from './h2-clients.ts';
import type { Scheme } from './h2-clients.ts';
import { service } from './manifests.ts';
import { authority, pairFor, routeWithTls, secret } from './tls-clients.ts';

const name = '/flint.test.Echo';
export const identity = (bytes: Buffer): Buffer => bytes;
const unlimited = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};
const pair = pairFor(host);

function method(
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<Buffer, Buffer> {
  return {
    path: `${name}/${path}`,
    requestStream,
    responseStream,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
}

export const methods = {
  Unary: method('Unary', false, false),
  Collect: method('Collect', true, false),
  Repeat: method('Repeat', false, true),
  Chat: method('Chat', true, true),
} as const satisfies ServiceDefinition;

/** Asks `Repeat` for messages. */
export function repeats(count: number, bytes: number): Buffer {
  return Buffer.from(JSON.stringify({ count, bytes }));
}

export interface GrpcBackend {
  readonly port: number;
  /** Messages of `Repeat` that it has written. */
  readonly sent: number;
  readonly cancelled: number;
  readonly called: number;
}

/** What calls of every kind have. */
interface AnyCall {
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
  on(event: 'cancelled', listener: () => void): unknown;
}

class EchoBackend implements GrpcBackend {
  port = 0;
  sent = 0;
  cancelled = 0;
  called = 0;

  get implementation(): UntypedServiceImplementation {
    const unary: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
      this.#begin(call);
      if (call.metadata.get('x-hang').length > 0) return;
      const [code] = call.metadata.get('x-fail');
      if (code === undefined) callback(null, call.request, echoed(call));
      else callback({ code: Number(code), details: 'a detail, with %, ü and 界', metadata: echoed(call) });
    };
    const collect: handleClientStreamingCall<Buffer, Buffer> = (call, callback) => {
      this.#begin(call);
      const pieces: Buffer[] = [];
      call.on('data', (piece: Buffer) => pieces.push(piece));
      call.on('end', () => callback(null, Buffer.concat(pieces)));
    };
    const repeat: handleServerStreamingCall<Buffer, Buffer> = (call) => {
      this.#begin(call);
      const { count, bytes } = JSON.parse(call.request.toString()) as { count: number; bytes: number };
      let left = count;
      const more = (): void => {
        while (left > 0 && !call.cancelled) {
          left--;
          this.sent++;
          if (!call.write(Buffer.alloc(bytes, left % 251))) return;
        }
        if (left === 0) call.end();
      };
      call.on('drain', more);
      more();
    };
    const chat: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
      this.#begin(call);
      call.on('data', (piece: Buffer) => call.write(piece));
      call.on('end', () => call.end());
      call.on('error', () => {});
    };
    return { Unary: unary, Collect: collect, Repeat: repeat, Chat: chat };
  }

  #begin(call: AnyCall): void {
    this.called++;
    call.on('cancelled', () => this.cancelled++);
    const initial = echoed(call);
    if (initial.get('x-echo').length > 0) call.sendMetadata(initial);
  }
}

/** What a client sends to have it back. */
function echoed({ metadata }: { readonly metadata: Metadata }): Metadata {
  const back = new Metadata();
  for (const key of ['x-echo', 'x-echo-bin']) for (const value of metadata.get(key)) back.add(key, value);
  return back;
}

export async function grpcBackend(context: Cleanup): Promise<GrpcBackend> {
  const backend = new EchoBackend();
  const server = new Server(unlimited);
  server.addService(methods, backend.implementation);
  backend.port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
  context.after(() => server.forceShutdown());
  return backend;
}

/** Everything below the service's name to backends on these ports, by HTTP/2 in the clear. */
export function grpcObjects(ports: readonly number[], rule: object = {}): readonly unknown[] {
  const [first, ...slices] = service('shop', ports) as readonly { readonly spec?: object }[];
  const matches = [{ path: { type: 'PathPrefix', value: name } }];
  const rules = [{ matches, backendRefs: [{ name: 'shop', port: 80 }], ...rule }];
  return [
    { ...first, spec: { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] } },
    ...slices,
    secret('shop-tls', pair),
    routeWithTls(host, 'shop', { certificateRefs: [{ name: 'shop-tls' }], plaintext: 'Serve' }, { rules }),
  ];
}

export function grpcClient(
  context: Cleanup,
  flint: FlintProcess,
  scheme: Scheme,
  options: ClientOptions = {},
): Client {
  const isSecure = scheme === 'https';
  const address = `127.0.0.1:${isSecure ? flint.httpsPort : flint.httpPort}`;
  const client = new Client(
    address,
    isSecure ? credentials.createSsl(Buffer.from(authority.root.certificate)) : credentials.createInsecure(),
    {
      ...unlimited,
      'grpc.default_authority': host,
      'grpc.ssl_target_name_override': host,
      // What Flint answers is what is looked at.
      'grpc.enable_retries': 0,
      ...options,
    },
  );
  context.after(() => client.close());
  return client;
}

export interface UnaryOptions {
  readonly path?: string;
  readonly metadata?: Readonly<Record<string, string | Buffer>>;
  readonly deadlineMs?: number;
}

export function metadataOf(fields: Readonly<Record<string, string | Buffer>> = {}): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(fields)) metadata.set(key, value);
  return metadata;
}

export interface UnaryAnswer {
  readonly code: number;
  readonly details: string;
  readonly message: Buffer | undefined;
  readonly initial: Metadata;
  readonly trailing: Metadata;
}

/** Resolves whatever the status is. */
export function callUnary(
  client: Client,
  message: Buffer,
  { path = methods.Unary.path, metadata, deadlineMs }: UnaryOptions = {},
): Promise<UnaryAnswer> {
  return new Promise((resolve) => {
    let initial = new Metadata();
    let answered: Buffer | undefined = undefined;
    const call = client.makeUnaryRequest(
      path,
      identity,
      identity,
      message,
      metadataOf(metadata),
      deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
      (_error: ServiceError | null, value?: Buffer) => (answered = value),
    );
    call.on('metadata', (fields: Metadata) => (initial = fields));
    call.on('status', ({ code, details, metadata: trailing }) => {
      // The callback comes in the same turn, before or after this.
      setImmediate(() => resolve({ code, details, message: answered, initial, trailing }));
    });
  });
}
