import { fileURLToPath } from 'node:url'

/** What one server process of Temporal listens on; a port over 32767 does not fit the column that members are kept in. */
export interface TemporalPorts {
  readonly frontend: number
  readonly frontendHttp: number
  readonly frontendMembership: number
  readonly history: number
  readonly historyMembership: number
  readonly matching: number
  readonly matchingMembership: number
  readonly worker: number
  readonly workerMembership: number
}

export interface ConfigOptions {
  readonly ports: TemporalPorts
  /** Of PostgreSQL, with an account that owns both databases. */
  readonly databaseUrl: string
  readonly shards: number
}

/** What an operator is told to set: the file that docker-compose.yml gives its server, too. */
const DYNAMIC_CONFIG = fileURLToPath(new URL('../../docs/temporal.yml', import.meta.url))

export const DATABASES = { main: 'temporal', visibility: 'temporal_visibility' } as const

/** The configuration of a server that has all four services; docs/operations.md says why each value. */
export function serverConfig({ ports, databaseUrl, shards }: ConfigOptions): object {
  const rpc = (grpcPort: number, membershipPort: number): object => ({
    rpc: { grpcPort, membershipPort, bindOnIP: '127.0.0.1' },
  })
  const frontend = {
    rpc: { ...rpcOf(rpc(ports.frontend, ports.frontendMembership)), httpPort: ports.frontendHttp },
  }
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'main',
      visibilityStore: 'visibility',
      numHistoryShards: shards,
      datastores: {
        main: { sql: datastore(databaseUrl, DATABASES.main, 20) },
        visibility: { sql: datastore(databaseUrl, DATABASES.visibility, 10) },
      },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: {
      frontend,
      history: rpc(ports.history, ports.historyMembership),
      matching: rpc(ports.matching, ports.matchingMembership),
      worker: rpc(ports.worker, ports.workerMembership),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `127.0.0.1:${ports.frontend}`,
        },
      },
    },
    publicClient: { hostPort: `127.0.0.1:${ports.frontend}` },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: DYNAMIC_CONFIG, pollInterval: '10s' },
  }
}

function rpcOf(service: object): object {
  return 'rpc' in service && typeof service.rpc === 'object' ? (service.rpc ?? {}) : {}
}

function datastore(databaseUrl: string, databaseName: string, maxConns: number): object {
  const { hostname, port, username, password } = new URL(databaseUrl)
  return {
    pluginName: 'postgres12_pgx',
    databaseName,
    connectAddr: `${hostname}:${port}`,
    connectProtocol: 'tcp',
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    maxConns,
    maxIdleConns: maxConns,
    maxConnLifetime: '1h',
  }
}
