// The names that operator and data plane meet under in the cluster.

/** Where generated objects live, and nothing else. */
export const routesNamespace = 'flint-routes';
/** Where operator and data plane run. */
export const systemNamespace = 'flint-system';

export const headName = 'flint-head';
/** The keys in the data of a head and of a chunk. */
export const headKey = 'head';
export const chunkKey = 'chunk';

/** On every generated object: what it is. */
export const partLabel = 'flint.dev/part';

/** How the operator finds the pods of the data plane. */
export const proxySelector = 'app.kubernetes.io/name=flint,app.kubernetes.io/component=proxy';
/** The container port that serves `/revision`. */
export const adminPortName = 'admin';
/** The field of its answers that says which pod answers. */
export const podField = 'flint-pod';
/** On a pod without such a port: the ports, by commas, of which one is its own. On the network of a node they are shared. */
export const adminPortsAnnotation = 'flint.dev/admin-ports';
