// Why there is no connection to an endpoint, by what its socket said when it closed.
import type { FaultCode } from '#http/fault.ts';
import { HandshakeFailure } from '#transport/secure-transport.ts';

export function connectFault(code: string | undefined): FaultCode {
  switch (code) {
    case 'ETIMEDOUT':
      return 'connect-timeout';
    case HandshakeFailure.Certificate:
      return 'backend-certificate-rejected';
    case HandshakeFailure.Other:
      return 'backend-handshake-failed';
    default:
      return 'connect-refused';
  }
}

/** Whether an endpoint could not be reached, or did not prove who it is. */
export function isConnectFault(code: FaultCode): boolean {
  return (
    code === 'connect-refused' ||
    code === 'connect-timeout' ||
    code === 'backend-certificate-rejected' ||
    code === 'backend-handshake-failed'
  );
}
