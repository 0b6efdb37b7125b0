// The key pair that all sides end TLS with: ECDSA on P-256, as most certificates are made today.
import { issue } from '../tls/certificates.ts';
import { hostOf } from './scene.ts';

export const pair = issue({ dnsNames: [hostOf(0)] });
