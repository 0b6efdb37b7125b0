// An observer that notes nothing; a test replaces what it wants to hear of.
import type { ProxyObserver } from '#proxy/proxy-context.ts';

const ignore = (): void => {};

export const silentObserver: ProxyObserver = {
  onConnectionOpen: ignore,
  onConnectionClose: ignore,
  onConnectionRefused: ignore,
  onConnectionDisplaced: ignore,
  onHandshakeEnd: ignore,
  onHttp2Error: ignore,
  onExchangeStart: ignore,
  onExchangeEnd: ignore,
  onPassthroughEnd: ignore,
};
