// Our own errors for clients of gRPC, which look at its status alone (grpc.io, http-grpc-status-mapping).
import type { FaultCode } from '#http/fault.ts';
import type { RequestHead } from '#http/message-head.ts';
import type { LocalResponse } from './local-response.ts';

const GrpcStatus = {
  DeadlineExceeded: 4,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  Unauthenticated: 16,
  Unknown: 2,
} as const;

const byFault: Partial<Record<FaultCode, number>> = {
  'backend-timeout': GrpcStatus.DeadlineExceeded,
  'connect-timeout': GrpcStatus.Unavailable,
  'body-too-large': GrpcStatus.ResourceExhausted,
  'head-too-large': GrpcStatus.ResourceExhausted,
};

export function isGrpc(head: RequestHead): boolean {
  const type = head.fields.combined('content-type');
  return type === 'application/grpc' || (type?.startsWith('application/grpc+') ?? false);
}

/** The answer as a response without a message: its fields say what happened (gRPC over HTTP2, Trailers-Only). */
export function asGrpc(response: LocalResponse, fault: FaultCode | undefined): LocalResponse {
  const status = (fault === undefined ? undefined : byFault[fault]) ?? statusOf(response.status);
  const text = response.body.trimEnd();
  const fields = [
    ...response.fields.filter(({ name }) => name !== 'Content-Type'),
    { name: 'Content-Type', value: 'application/grpc' },
    { name: 'grpc-status', value: String(status) },
    { name: 'grpc-message', value: percentEncoded(text) },
  ];
  return { ...response, status: 200, fields, body: '' };
}

function statusOf(httpStatus: number): number {
  switch (httpStatus) {
    case 400:
      return GrpcStatus.Internal;
    case 401:
      return GrpcStatus.Unauthenticated;
    case 403:
      return GrpcStatus.PermissionDenied;
    case 404:
      return GrpcStatus.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.Unavailable;
    default:
      return GrpcStatus.Unknown;
  }
}

/** What is no printable ASCII, and the percent sign. */
function percentEncoded(text: string): string {
  return text.replaceAll(/[^\x20-\x24\x26-\x7e]/g, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}
