// IP addresses as text: the one place that asks the runtime what is one.
import { isIP } from 'node:net';

export type IpFamily = 'IPv4' | 'IPv6';

/** In the words of EndpointSlice and Service; undefined for what is no address literal. */
export function familyOf(text: string): IpFamily | undefined {
  switch (isIP(text)) {
    case 4:
      return 'IPv4';
    case 6:
      return 'IPv6';
    default:
      return undefined;
  }
}
