// What `run` and `proxy` share: the options of a data plane, and its parts made from them.
import { availableParallelism } from 'node:os';
import type { DataPlaneOptions } from '#dataplane/data-plane.ts';
import { accessLogDestination } from '#telemetry/access-log-destination.ts';
import { createLogger } from '#telemetry/log.ts';
import type { Logger } from '#telemetry/log.ts';
import type { HostPort } from './program.ts';
import { loadSettings } from './settings.ts';
import type { FlintSettings, SettingsOptions } from './settings.ts';

export interface ServingOptions extends SettingsOptions {
  readonly http: HostPort;
  readonly https: HostPort;
  /** Absent: that of the settings. */
  readonly publicHttpsPort?: number;
  readonly admin: HostPort;
  readonly adminSpare?: HostPort;
  readonly workers?: number;
  readonly trustedProxy: readonly string[];
  readonly accessLog: 'json' | 'off';
  readonly logLevel: string;
  readonly drainDelay: number;
  readonly grace: number;
}

export interface Serving {
  readonly settings: FlintSettings;
  readonly logger: Logger;
  readonly dataPlane: DataPlaneOptions;
  /** Writes out what is left of the access log. */
  readonly close: () => void;
}

/** By themselves: each takes 15 MB when idle, and few nodes with more CPUs have them for a proxy alone. */
const mostWorkers = 16;

/** Throws for settings that are none. */
export async function openServing(options: ServingOptions): Promise<Serving> {
  const settings = await loadSettings(options);
  const logger = createLogger(options.logLevel);
  const accessLog = options.accessLog === 'json' ? accessLogDestination() : undefined;
  const { publicHttpsPort = settings.proxy.publicHttpsPort } = options;
  const trustedProxies = [...settings.proxy.trustedProxies, ...options.trustedProxy];
  return {
    settings,
    logger,
    dataPlane: {
      http: options.http,
      https: options.https,
      admin: options.admin,
      ...(options.adminSpare === undefined ? {} : { adminSpare: options.adminSpare }),
      workers: options.workers ?? Math.min(availableParallelism(), mostWorkers),
      proxy: { ...settings.proxy, trustedProxies, publicHttpsPort },
      logger,
      writeAccessLog: accessLog === undefined ? undefined : (lines) => accessLog.write(lines),
    },
    close: () => accessLog?.end(),
  };
}
