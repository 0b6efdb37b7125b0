// `--route HOST/PREFIX=ADDR:PORT[,ADDR:PORT]`: a whole configuration on one command line, as ordinary objects.
import { hostnameFault } from '#api/hostname.ts';
import { familyOf } from '#api/ip-address.ts';
import type { IpFamily } from '#api/ip-address.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';

const namespace = 'command-line';
const servicePort = 80;

/**
 * The IngressRoute, Service and EndpointSlices that say the same. `number` tells several flags apart.
 * Throws with the place and the cause for a text that is no route.
 */
export function objectsOfRouteFlag(text: string, number: number): readonly KubernetesObject[] {
  const equals = text.indexOf('=');
  if (equals < 0) throw new Error(`--route ${text}: there is no "=" between the match and the endpoints`);
  const [match, targets] = [text.slice(0, equals), text.slice(equals + 1)];
  const slash = match.indexOf('/');
  const hostname = slash < 0 ? match : match.slice(0, slash);
  const prefix = slash < 0 ? '/' : match.slice(slash);
  const fault = hostnameFault(hostname);
  if (fault !== undefined) throw new Error(`--route ${text}: the host "${hostname}" ${fault}`);
  const endpoints = targets.split(',').map((target) => endpointOf(target, text));
  const [first] = endpoints;
  if (endpoints.some(({ family }) => family !== first?.family))
    throw new Error(`--route ${text}: its endpoints are of two IP families; a Service uses one of them`);
  const name = `route-${number}`;
  const metadata = { name, namespace };
  return [
    {
      apiVersion: 'flint.dev/v1alpha1',
      kind: 'IngressRoute',
      metadata,
      spec: {
        hostnames: [hostname],
        rules: [
          {
            matches: [{ path: { type: 'PathPrefix', value: prefix } }],
            backendRefs: [{ name, port: servicePort }],
          },
        ],
      },
    },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: servicePort }] } },
    ...endpoints.map(({ address, port, family }, index) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${index}`,
        namespace,
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: family,
      endpoints: [{ addresses: [address] }],
      ports: [{ port }],
    })),
  ];
}

interface FlagEndpoint {
  readonly address: string;
  readonly port: number;
  readonly family: IpFamily;
}

function endpointOf(target: string, text: string): FlagEndpoint {
  const parsed = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(target);
  const address = parsed?.[1] ?? parsed?.[2] ?? '';
  const port = Number(parsed?.[3]);
  const literal = address === 'localhost' ? '127.0.0.1' : address;
  const family = familyOf(literal);
  if (family === undefined || !(port >= 1 && port <= 65_535))
    throw new Error(`--route ${text}: "${target}" is no ADDRESS:PORT, such as 127.0.0.1:3000 or [::1]:3000`);
  return { address: literal, port, family };
}
