// Sessions of clients, as clients hold them: a token that only data planes can make and read.
//
//   nonce (12) | sealed (8 key, 4 endpoint, 4 begun, 4 seen) | tag (16)        AES-256-GCM, base64url, 64 characters
//
// The key decides between backends, by weight; the endpoint is the one that served last. Nobody learns from it where endpoints
// are, and none of another rule is believed: the name of its cookie or field is authenticated with it.
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';
import type { SessionPersistence } from '#model/filters.ts';

const nonceBytes = 12;
const tagBytes = 16;
const sealedBytes = 20;
const tokenCharacters = Math.ceil(((nonceBytes + sealedBytes + tagBytes) * 4) / 3);
const algorithm = 'aes-256-gcm';
/** Of the idle timeout: a token that is older is written anew, or a busy client would lose its session. */
const renewalShare = 0.25;

export interface Session {
  /** Eight random bytes. */
  readonly id: Buffer;
  /** 32 bits of them: what decides between backends. */
  readonly key: number;
  /** The seed of the endpoint that served last; 0: nobody has. */
  readonly endpoint: number;
  /** Unix time in seconds. */
  readonly begunS: number;
  readonly seenS: number;
}

export class Sessions {
  readonly #key: Buffer;

  /** `key`: 32 bytes in base64. */
  constructor(key: string) {
    this.#key = Buffer.from(key, 'base64');
  }

  /** The session of the first token that holds; a new one where none does. */
  recall(tokens: readonly string[], terms: SessionPersistence, nowS: number): Session {
    for (const token of tokens) {
      const session = this.#open(token, terms.name);
      if (session !== undefined && !hasEnded(session, terms, nowS)) return session;
    }
    return begin(nowS);
  }

  /**
   * The line that tells the client of its session, where it does not know: `Set-Cookie: ...CRLF`; empty where it does.
   * `endpoint`: the seed of the one that has served.
   */
  lineFor(
    session: Session,
    terms: SessionPersistence,
    endpoint: number,
    isSecure: boolean,
    nowS: number,
  ): string {
    const isOld = terms.idleMs > 0 && nowS - session.seenS > (terms.idleMs / 1000) * renewalShare;
    if (session.endpoint === endpoint && !isOld) return '';
    const token = this.#seal({ ...session, endpoint, seenS: nowS }, terms.name);
    if (terms.source === 'Header') return `${terms.name}: ${token}\r\n`;
    const age = Math.max(1, session.begunS + Math.floor(terms.absoluteMs / 1000) - nowS);
    const lifetime = terms.lifetime === 'Permanent' ? `; Max-Age=${age}` : '';
    const secure = isSecure ? '; Secure' : '';
    return `Set-Cookie: ${terms.name}=${token}; Path=/; HttpOnly; SameSite=Lax${secure}${lifetime}\r\n`;
  }

  #seal({ id, endpoint, begunS, seenS }: Session, name: string): string {
    const plain = Buffer.alloc(sealedBytes);
    id.copy(plain, 0);
    plain.writeUInt32BE(endpoint, 8);
    plain.writeUInt32BE(begunS, 12);
    plain.writeUInt32BE(seenS, 16);
    const nonce = randomFillSync(Buffer.alloc(nonceBytes));
    const cipher = createCipheriv(algorithm, this.#key, nonce);
    cipher.setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** Undefined for anything that was not sealed for this name with this key. */
  #open(token: string, name: string): Session | undefined {
    if (token.length !== tokenCharacters) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length !== nonceBytes + sealedBytes + tagBytes) return undefined;
    const decipher = createDecipheriv(algorithm, this.#key, bytes.subarray(0, nonceBytes));
    decipher.setAAD(Buffer.from(name));
    decipher.setAuthTag(bytes.subarray(nonceBytes + sealedBytes));
    const sealed = bytes.subarray(nonceBytes, nonceBytes + sealedBytes);
    let plain: Buffer;
    try {
      plain = Buffer.concat([decipher.update(sealed), decipher.final()]);
    } catch {
      // Forged, damaged, or of another key.
      return undefined;
    }
    return {
      id: plain.subarray(0, 8),
      key: plain.readUInt32BE(0),
      endpoint: plain.readUInt32BE(8),
      begunS: plain.readUInt32BE(12),
      seenS: plain.readUInt32BE(16),
    };
  }
}

function begin(nowS: number): Session {
  const id = randomFillSync(Buffer.alloc(8));
  return { id, key: id.readUInt32BE(0), endpoint: 0, begunS: nowS, seenS: nowS };
}

function hasEnded(
  { begunS, seenS }: Session,
  { absoluteMs, idleMs }: SessionPersistence,
  nowS: number,
): boolean {
  return (
    (absoluteMs > 0 && (nowS - begunS) * 1000 >= absoluteMs) ||
    (idleMs > 0 && (nowS - seenS) * 1000 >= idleMs)
  );
}
