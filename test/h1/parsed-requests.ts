// What one parser made of the bytes of a connection, in a form that two parsers can be compared in.
import { defaultParserLimits } from '#h1/parser-limits.ts';
import { RequestParser } from '#h1/request-parser.ts';
import type { RequestSink } from '#h1/request-parser.ts';
import type { RequestHead } from '#http/message-head.ts';

export interface ParsedRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** Names and values by turns, as they came. */
  readonly fields: readonly string[];
  body: string;
  isComplete: boolean;
}

/** How it ended, once the bytes were used up: between messages, inside one, or refused for good. */
export type Ending =
  | { readonly kind: 'Idle' }
  | { readonly kind: 'Unfinished' }
  | { readonly kind: 'Refused'; readonly code: string };

export interface ParsedRequests {
  readonly requests: readonly ParsedRequest[];
  readonly ending: Ending;
}

class RequestCollector implements RequestSink {
  readonly requests: ParsedRequest[] = [];

  onRequestHead({ method, target, minorVersion, fields }: RequestHead): void {
    const names = Array.from({ length: fields.count }, (_, index) => [
      fields.name(index),
      fields.value(index),
    ]);
    const version = `1.${minorVersion}`;
    this.requests.push({ method, target, version, fields: names.flat(), body: '', isComplete: false });
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    const request = this.requests.at(-1);
    if (request !== undefined) request.body += bytes.toString('latin1', start, end);
  }

  onRequestEnd(): void {
    const request = this.requests.at(-1);
    if (request !== undefined) request.isComplete = true;
  }
}

export interface FlintRequests extends ParsedRequests {
  /** Where each message starts, and at the end where the one starts that is not there. */
  readonly starts: readonly number[];
}

/** Flint's own parser, on all bytes at once. */
export function parseWithFlint(bytes: Buffer): FlintRequests {
  const collector = new RequestCollector();
  const parser = new RequestParser(collector, defaultParserLimits);
  const starts = [0];
  for (let at = 0; at < bytes.length && parser.fault === undefined;) {
    at = parser.push(bytes, at, bytes.length);
    const { requests } = collector;
    if (requests.length === starts.length && requests.at(-1)?.isComplete === true) starts.push(at);
  }
  const { requests } = collector;
  if (parser.fault !== undefined)
    return { requests, starts, ending: { kind: 'Refused', code: parser.fault } };
  return { requests, starts, ending: { kind: parser.isBetweenMessages ? 'Idle' : 'Unfinished' } };
}
