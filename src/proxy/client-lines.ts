// What backends are told of a client's certificate, on hosts that ask for one.
import { identityOf } from '#tls/client-identity.ts';
import type { ClientProof } from '#transport/secure-transport.ts';

/** Whole lines. Once for a connection, not for a request. */
export function clientLinesOf(proof: ClientProof): string {
  switch (proof.kind) {
    case 'None':
      return 'X-Client-Verify: NONE\r\n';
    case 'Refused':
      return 'X-Client-Verify: FAILED\r\n';
    case 'Verified':
      return `X-Client-Verify: SUCCESS\r\nX-Forwarded-Client-Cert: ${identityOf(proof.certificate)}\r\n`;
  }
}
