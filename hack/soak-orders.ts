// What the soak and its backends tell each other, one JSON a line, and what a backend can be told to be.

/** How an endpoint treats half of what it gets; `healthy` treats all of it well, `down` does not even listen. */
export const moods = ['healthy', 'down', 'resets', 'hangs', 'garbage', 'poison', 'slow', 'breaks'] as const;
export type Mood = (typeof moods)[number];

/** To the backends: from now on the endpoint on this port is so. */
export interface Order {
  readonly port: number;
  readonly mood: Mood;
}

/** From the backends. */
export type Report =
  | { readonly kind: 'Listening'; readonly http: readonly number[]; readonly grpc: readonly number[] }
  | ({ readonly kind: 'Obeyed' } & Order)
  | Harm;

/** A request that was treated badly, told before it is. */
export interface Harm {
  readonly kind: 'Harm';
  readonly id: string;
  readonly port: number;
  readonly mood: Mood;
  /** No request was on this connection before: a proxy cannot have met an idle close. */
  readonly isFirst: boolean;
}

/** Path -> bytes of the answer. */
export const answerBytes: Readonly<Record<string, number>> = {
  '/tiny': 12,
  '/10k': 10_240,
  '/1m': 1_048_576,
  '/8m': 8_388_608,
  '/chunked': 102_400,
  '/post': 2,
};

export const host = 'soak.test';
/** A request's name, which comes back in the other one. */
export const idField = 'x-request-id';
export const echoField = 'x-soak-id';
