// What the response to a health check says: whether the endpoint is well, and why not, in words.
import type { FieldSection } from '#http/field-section.ts';
import type { ResponseHead } from '#http/message-head.ts';
import { readServingStatus, serving, servingStatusText } from './grpc-health.ts';
import { failed, passed } from './prober.ts';
import type { ProbeOutcome } from './prober.ts';

/** Hears of one response. Whoever gives an outcome has heard enough. */
export interface ResponseJudge {
  onHead(head: ResponseHead): ProbeOutcome | undefined;
  onBody(bytes: Buffer, start: number, end: number): ProbeOutcome | undefined;
  onEnd(trailers: FieldSection | undefined): ProbeOutcome;
}

/** Of a body nobody wants: what is longer is not waited for. */
const mostBodyBytes = 65_536;
/** Of a message of one number. */
const mostMessageBytes = 4096;

export class HttpJudge implements ResponseJudge {
  /** Empty: 200 to 399. */
  readonly #statuses: readonly number[];
  #outcome: ProbeOutcome = failed('');
  #bodyBytes = 0;

  constructor(statuses: readonly number[]) {
    this.#statuses = statuses;
  }

  /** A response that says no is read to its end as well: its server need not hear of a connection that broke. */
  onHead({ status }: ResponseHead): undefined {
    const isWell =
      this.#statuses.length === 0 ? status >= 200 && status <= 399 : this.#statuses.includes(status);
    this.#outcome = (isWell ? passed : failed)(`status ${status}`);
  }

  onBody(_bytes: Buffer, start: number, end: number): ProbeOutcome | undefined {
    this.#bodyBytes += end - start;
    return this.#bodyBytes > mostBodyBytes ? this.#outcome : undefined;
  }

  onEnd(): ProbeOutcome {
    return this.#outcome;
  }
}

/** gRPC's own statuses that say more than that something went wrong. */
const grpcStatusTexts: Readonly<Record<string, string>> = {
  5: 'gRPC status 5: the server does not know this service',
  12: 'gRPC status 12: the server does not implement grpc.health.v1.Health',
};

export class GrpcJudge implements ResponseJudge {
  #body = Buffer.alloc(0);
  /** Of a response without a message. */
  #headStatus: string | undefined = undefined;

  onHead(head: ResponseHead): ProbeOutcome | undefined {
    if (head.status !== 200) return failed(`HTTP status ${head.status}`);
    this.#headStatus = head.fields.combined('grpc-status');
    return undefined;
  }

  onBody(bytes: Buffer, start: number, end: number): ProbeOutcome | undefined {
    this.#body = Buffer.concat([this.#body, bytes.subarray(start, end)]);
    return this.#body.length > mostMessageBytes ? failed('the message is too long') : undefined;
  }

  onEnd(trailers: FieldSection | undefined): ProbeOutcome {
    const grpcStatus = trailers?.combined('grpc-status') ?? this.#headStatus;
    if (grpcStatus === undefined) return failed('the response has no grpc-status');
    if (grpcStatus !== '0') return failed(grpcStatusTexts[grpcStatus] ?? `gRPC status ${grpcStatus}`);
    const status = readServingStatus(this.#body);
    if (status === undefined) return failed('the message is malformed');
    return (status === serving ? passed : failed)(servingStatusText(status));
  }
}
