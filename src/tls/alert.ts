// TLS alerts that are sent before there is anybody else to send them (RFC 8446 6).

/** AlertDescription. */
export const Alert = {
  UnexpectedMessage: 10,
  RecordOverflow: 22,
  IllegalParameter: 47,
  AccessDenied: 49,
  DecodeError: 50,
  ProtocolVersion: 70,
  InternalError: 80,
  UnrecognizedName: 112,
} as const;

export type Alert = (typeof Alert)[keyof typeof Alert];

const alertRecord = 21;
const fatal = 2;

/** A record of one fatal alert, in the clear, as a server answers a ClientHello that it does not go on with. */
export function fatalAlert(description: Alert): Buffer {
  return Buffer.from([alertRecord, 3, 3, 0, 2, fatal, description]);
}
