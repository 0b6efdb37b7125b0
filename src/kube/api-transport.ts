// One request to an API server and its answer: what the clients of a pod and of a kubeconfig have in common.

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface ApiRequest {
  readonly method: ApiMethod;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  /** Seconds of Retry-After; 0 without one. */
  readonly retryAfterSeconds: number;
  /** Has to be read to its end, or its signal aborted. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Credentials, certificates and connections; it knows nothing of objects. */
export interface ApiTransport {
  send(request: ApiRequest): Promise<ApiResponse>;
  close(): void;
}
