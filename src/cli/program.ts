// The command line: which commands there are. Each is loaded when it is called, so that none pays for another.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import manifest from '#package.json' with { type: 'json' };
import { parseCidr } from '#http/ip-ranges.ts';
import { proxySelector, routesNamespace, systemNamespace } from '#model/wire-names.ts';
import { waitForStop } from './stop-signal.ts';
import { exitCode } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Resolves to the exit code. `args` are those after the program's own name. */
export async function program(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = exitCode.ok;
  const command = createProgram(terminal, (result) => {
    code = result;
  });
  try {
    await command.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    terminal.stderr(`flint: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCode.usage;
  }
  return code;
}

/** Also read by the generator of docs/reference/flags.md. */
export function createProgram(terminal: Terminal, setCode: (code: number) => void): Command {
  const root = new Command('flint')
    .description('A Kubernetes ingress controller: no webhooks, no reloads, no dropped connections.')
    .version(manifest.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout(text),
      writeErr: (text) => terminal.stderr(text),
    });

  servingOptions(
    root
      .command('run')
      .description('serve manifests from files, without a cluster; changes take effect as they are saved')
      .option(
        '-f, --file <path...>',
        'manifest files, or folders with .yaml, .yml and .json files',
        collect,
        [],
      )
      .option(
        '--route <route...>',
        'HOST/PREFIX=ADDR:PORT[,ADDR:PORT]: routes on the command line',
        collect,
        [],
      )
      .addOption(loadBalancing()),
    '127.0.0.1',
  ).action(async (options) => {
    const stop = waitForStop(terminal);
    const { run } = await import('./run.ts');
    setCode(await run(options, stop));
  });

  servingOptions(
    root
      .command('proxy')
      .description('the data plane of a cluster: serve what the operator publishes')
      .option('--routes-namespace <name>', 'where the operator publishes', routesNamespace)
      .option(
        '--node-name <name>',
        'of the node that this pod runs on, for endpoints by zone (default: the environment, FLINT_NODE_NAME)',
      )
      .addOption(podName())
      .addOption(serviceAccount()),
    '0.0.0.0',
  ).action(async (options) => {
    const stop = waitForStop(terminal);
    const { proxy } = await import('./proxy.ts');
    setCode(await proxy(options, stop));
  });

  adminOptions(
    root
      .command('ready')
      .description('ask the data plane of this machine, or of this pod, whether it is ready')
      .addOption(podName()),
    '127.0.0.1',
  ).action(async (options) => {
    const { ready } = await import('./ready.ts');
    setCode(await ready(options, terminal));
  });

  root
    .command('operator')
    .description(
      'the control plane of a cluster: IngressRoutes to what the data plane serves, and their status',
    )
    .option('--kubeconfig <file>', 'instead of the service account of this pod')
    .addOption(serviceAccount())
    .option('--watch-namespace <name>', 'only objects of this namespace; may be repeated', collect, [])
    .option('--routes-namespace <name>', 'where to publish', routesNamespace)
    .option('--system-namespace <name>', 'where the Lease and the data-plane pods are', systemNamespace)
    .option('--proxy-selector <labels>', 'which pods are the data plane', proxySelector)
    .option(
      '--publish-address <address>',
      'where the data plane is reached, for every status; may be repeated (default: the addresses of its nodes)',
      collect,
      [],
    )
    .option(
      '--publish-service <namespace/name>',
      'the Service whose load balancer says where the data plane is reached',
      parseNamespacedName,
    )
    .addOption(
      new Option('--cluster-scoped-reads <on|off>', 'whether IngressClasses and Nodes are read')
        .choices(['on', 'off'])
        .default('on'),
    )
    .option('--ingress-class <name>', 'the class that is ours, where IngressClasses are not read')
    .option('--admin <host:port>', 'where to serve /metrics, /livez and /readyz', parseHostPort, {
      host: '0.0.0.0',
      port: 9901,
    })
    .option('--lease-duration <ms>', 'how long followers wait for a silent leader', parseCount, 15_000)
    .option('--chunk-retention <ms>', 'how long chunks stay that no head names', parseCount, 600_000)
    .addOption(loadBalancing())
    .addOption(settingsFile())
    .addOption(oneSetting())
    .addOption(logLevel())
    .action(async (options) => {
      const stop = waitForStop(terminal);
      const { operator } = await import('./operator.ts');
      setCode(await operator(options, terminal, stop));
    });

  root
    .command('check')
    .description("validate manifests against the CRD's own schema and rules, without a cluster")
    .requiredOption('-f, --file <path...>', 'manifest files or folders; - is standard input', collect)
    .action(async (options) => {
      const { check } = await import('./check.ts');
      setCode(check(options, terminal));
    });

  root
    .command('explain')
    .description('say which rule takes a request, and why the others do not')
    .argument('<url>', 'such as http://shop.example.com/api?debug=1')
    .option('-f, --file <path>', 'a manifest file or folder; may be repeated', collect, [])
    .option('--route <route>', 'as for run', collect, [])
    .option('-X, --method <method>', 'the request method', 'GET')
    .option('-H, --header <header>', "a request field, as 'Name: value'; may be repeated", collect, [])
    .action(async (url, options) => {
      const { explain } = await import('./explain.ts');
      setCode(explain(url, options, terminal));
    });

  return root;
}

/** What every command has that serves requests. */
function servingOptions(command: Command, adminHost: string): Command {
  return adminOptions(command, adminHost)
    .option('--http <host:port>', 'where to accept HTTP', parseHostPort, { host: '0.0.0.0', port: 8080 })
    .option('--https <host:port>', 'where to accept HTTP over TLS', parseHostPort, {
      host: '0.0.0.0',
      port: 8443,
    })
    .option(
      '--public-https-port <port>',
      'where clients reach --https, for redirects (default: 443 in a cluster, else the port of --https)',
      parsePort,
    )
    .option(
      '--workers <n>',
      'threads that serve requests (default: the CPUs available, at most 16)',
      parseCount,
    )
    .option(
      '--trusted-proxy <cidr>',
      'a proxy in front, whose X-Forwarded-For, Forwarded and X-Request-Id are believed; may be repeated',
      collectCidr,
      [],
    )
    .addOption(settingsFile())
    .addOption(oneSetting())
    .addOption(
      new Option('--access-log <format>', 'on standard output').choices(['json', 'off']).default('json'),
    )
    .addOption(logLevel())
    .option('--drain-delay <ms>', 'after SIGTERM: not ready, but accepting, for this long', parseCount, 5000)
    .option('--grace <ms>', 'then: how long requests under way may take to finish', parseCount, 30_000);
}

function adminOptions(command: Command, adminHost: string): Command {
  return command
    .option(
      '--admin <host:port>',
      'where /metrics, /livez, /readyz and /revision are served',
      parseHostPort,
      {
        host: adminHost,
        port: 9901,
      },
    )
    .option(
      '--admin-spare <host:port>',
      'where they are served while another process, such as the pod that this one replaces, has that address',
      parseHostPort,
    );
}

function podName(): Option {
  return new Option('--pod-name <name>', 'of this pod (default: the environment, FLINT_POD_NAME)');
}

function serviceAccount(): Option {
  return new Option('--service-account <folder>', 'with token and ca.crt, as the kubelet mounts it').default(
    '/var/run/secrets/kubernetes.io/serviceaccount',
  );
}

function loadBalancing(): Option {
  return new Option(
    '--load-balancing <policy>',
    'how endpoints are chosen, whatever the settings say',
  ).choices(['LeastRequests', 'RoundRobin']);
}

function settingsFile(): Option {
  return new Option('--settings <file>', 'settings in YAML, as docs/reference/settings.md lists them');
}

function oneSetting(): Option {
  return new Option('--set <key=value>', 'one setting, on top of the file; may be repeated')
    .argParser(collect)
    .default([]);
}

function logLevel(): Option {
  return new Option('--log-level <level>', 'of the log on standard error')
    .choices(['error', 'warn', 'info', 'debug'])
    .default('info');
}

/** Options that may be given several times. */
function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

function collectCidr(value: string, previous: readonly string[] = []): readonly string[] {
  if (parseCidr(value) === undefined)
    throw new InvalidArgumentError('It is no CIDR block, such as 10.0.0.0/8 or fd00::/8.');
  return [...previous, value];
}

function parseCount(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('It is not a whole number.');
  return Number(text);
}

export interface NamespacedName {
  readonly namespace: string;
  readonly name: string;
}

function parseNamespacedName(text: string): NamespacedName {
  const [, namespace, name] = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(text) ?? [];
  if (namespace === undefined || name === undefined)
    throw new InvalidArgumentError('It is no NAMESPACE/NAME, such as flint-system/flint-proxy.');
  return { namespace, name };
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw new InvalidArgumentError('It is no port from 1 to 65535.');
  return port;
}

function parseHostPort(text: string): HostPort {
  const parsed = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(parsed?.[3]);
  if (parsed === null || port > 65_535)
    throw new InvalidArgumentError('It is no HOST:PORT, such as 127.0.0.1:8080, [::]:8080 or :8080.');
  return { host: parsed[1] ?? (parsed[2] === '' ? '0.0.0.0' : (parsed[2] ?? '')), port };
}
