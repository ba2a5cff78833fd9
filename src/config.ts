import { version } from './version.ts'

/** The only reader of the environment. Every process gets its settings from here, checked, in one typed value. */
export interface Config {
  readonly host: string
  readonly port: number
  /** Where metrics are shown; a port of undefined: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number | undefined }
  readonly limits: {
    /** Requests an API process works on at once; what is beyond is refused with 429. */
    readonly requests: number
    /** Requests a second of one API key; undefined: any number. */
    readonly perKeyPerSecond: number | undefined
  }
  readonly databaseUrl: string
  /** Connections a process keeps at most. */
  readonly databasePoolSize: number
  readonly temporal: { readonly address: string; readonly namespace: string; readonly taskQueue: string }
  readonly stripe: {
    /** Where Stripe answers; undefined: api.stripe.com. */
    readonly baseUrl: string | undefined
    /** Live keys move money: they have to be asked for. */
    readonly allowLiveKeys: boolean
  }
  /** Where Stripe and browsers reach us; no slash at the end. */
  readonly publicUrl: string
  /** Seals the secrets of installed apps: 32 characters or more, kept with the backups of the database. */
  readonly masterKey: string
  /** Opens what is not sealed anew yet, while the master key is changed. */
  readonly previousMasterKey: string | undefined
  readonly logLevel: LogLevel
  /** Over how long the closings of one instant are spread, in milliseconds; 0: not at all. */
  readonly closeJitterMs: number
  /** A file with bundled workflows; undefined: bundled at start. */
  readonly workflowBundle: string | undefined
  readonly worker: {
    readonly maxConcurrentActivities: number
    readonly maxConcurrentWorkflowTasks: number
    /** Workflows kept in memory; undefined: as many as the heap has room for. */
    readonly cachedWorkflows: number | undefined
    /** What the worker is called among those of other versions. */
    readonly buildId: string
    /** Under which Temporal tells versions apart; undefined: it does not. */
    readonly deployment: string | undefined
  }
  /** How long a stopping API serves on while load balancers turn away, and then kept-alive connections, in milliseconds. */
  readonly shutdownDrainMs: number
  /** How long a stopping process may then finish what it does, in milliseconds. */
  readonly shutdownGraceMs: number
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** The variables and what each is for: the documentation and `perennial doctor` print this table. */
export const variables = {
  HOST: 'Address the API listens on (127.0.0.1). Others need an API key to exist.',
  PORT: 'Port the API listens on (8888).',
  API_MAX_REQUESTS: 'Requests an API process works on at once (200); what is beyond is answered with 429.',
  API_RATE_PER_KEY: 'Requests a second that one API key may send, to each API process (any number).',
  METRICS_PORT: 'Port on which this process shows its metrics at /metrics, for Prometheus (none).',
  METRICS_HOST: 'Address of that port (127.0.0.1). It asks for no key: let only the monitoring reach it.',
  DATABASE_URL: 'PostgreSQL 15 or later, postgres://user:password@host:port/database. Required.',
  DATABASE_POOL_SIZE: 'Connections a process keeps at most (10); at least 4.',
  TEMPORAL_ADDRESS: 'Temporal frontend, host:port (127.0.0.1:7233).',
  TEMPORAL_NAMESPACE: 'Temporal namespace (default).',
  TEMPORAL_TASK_QUEUE: 'Task queue of workflows and activities (perennial).',
  STRIPE_API_BASE: 'Another address than https://api.stripe.com, e.g. the sandbox.',
  STRIPE_ALLOW_LIVE_KEYS: 'true lets apps with live keys be installed (false).',
  STRIPE_API_KEY: 'Used by npm start: a test key with which the demo installs the app (the sandbox).',
  PUBLIC_URL: 'Where Stripe reaches us for webhooks (http://127.0.0.1:PORT).',
  PERENNIAL_MASTER_KEY: 'Seals stored secrets: 32 characters or more. Required.',
  PERENNIAL_MASTER_KEY_PREVIOUS: 'The master key of before, until perennial secrets reseal is done (none).',
  LOG_LEVEL: `One of ${logLevels.join(', ')} (info).`,
  CLOSE_JITTER: 'Seconds over which the closings of one instant are spread (0).',
  WORKFLOW_BUNDLE: 'File with bundled workflows (bundled when the worker starts).',
  WORKER_MAX_ACTIVITIES:
    'Activities a worker runs at once (20): commands that may need Stripe, test clocks, steps that failed or took long.',
  WORKER_MAX_WORKFLOW_TASKS:
    'Workflow tasks a worker runs at once (20), each with the step of a boundary, an invoice or a cancelation in it.',
  WORKER_CACHED_WORKFLOWS:
    'Workflows a worker keeps in memory, at least those that it works on (by its heap: 2,310 with 4 GB, 180 with 512 MB).',
  SHUTDOWN_DRAIN:
    'Seconds a stopping API, not ready any more, serves on; then as many for kept-alive connections (5).',
  PERENNIAL_DEPLOYMENT: 'Name under which Temporal tells versions of workers apart (none: it does not).',
  PERENNIAL_BUILD_ID: 'Version of a worker in its deployment (that of the package).',
  SHUTDOWN_GRACE: 'Seconds a stopping process may then finish what it does (35); a command takes up to 30.',
} as const
export type Variable = keyof typeof variables

export type Environment = Readonly<Record<string, string | undefined>>

/** Says everything that is wrong with the environment at once. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the environment is not as it has to be:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** One address: `localhost` can be two, of which a stopping API would drain one. */
const addressOf = (host: string): string => (host === 'localhost' ? '127.0.0.1' : host)

/** Reads the settings of a process. Throws ConfigError naming each variable that is missing or wrong. */
export function readConfig(environment: Environment = process.env): Config {
  const read = reader(environment)
  const port = read.integer('PORT', 8888, { min: 1, max: 65_535 })
  const config: Config = {
    host: addressOf(read.text('HOST') ?? '127.0.0.1'),
    port,
    limits: {
      requests: read.integer('API_MAX_REQUESTS', 200, { min: 4, max: 10_000 }),
      perKeyPerSecond: read.optionalInteger('API_RATE_PER_KEY', { min: 1, max: 1_000_000 }),
    },
    metrics: {
      host: read.text('METRICS_HOST') ?? '127.0.0.1',
      port: read.optionalInteger('METRICS_PORT', { min: 1, max: 65_535 }),
    },
    databaseUrl: read.url('DATABASE_URL', ['postgres:', 'postgresql:']) ?? read.missing('DATABASE_URL'),
    databasePoolSize: read.integer('DATABASE_POOL_SIZE', 10, { min: 4, max: 1000 }),
    temporal: {
      address: read.text('TEMPORAL_ADDRESS') ?? '127.0.0.1:7233',
      namespace: read.text('TEMPORAL_NAMESPACE') ?? 'default',
      taskQueue: read.text('TEMPORAL_TASK_QUEUE') ?? 'perennial',
    },
    stripe: {
      baseUrl: withoutSlash(read.url('STRIPE_API_BASE', ['http:', 'https:'])),
      allowLiveKeys: read.flag('STRIPE_ALLOW_LIVE_KEYS'),
    },
    publicUrl: withoutSlash(read.url('PUBLIC_URL', ['http:', 'https:'])) ?? `http://127.0.0.1:${port}`,
    masterKey: read.secret('PERENNIAL_MASTER_KEY', 32) ?? read.missing('PERENNIAL_MASTER_KEY'),
    previousMasterKey: read.secret('PERENNIAL_MASTER_KEY_PREVIOUS', 32),
    logLevel: read.oneOf('LOG_LEVEL', logLevels, 'info'),
    closeJitterMs: read.integer('CLOSE_JITTER', 0, { min: 0, max: 86_400 }) * 1000,
    workflowBundle: read.text('WORKFLOW_BUNDLE'),
    worker: {
      maxConcurrentActivities: read.integer('WORKER_MAX_ACTIVITIES', 20, { min: 1, max: 1000 }),
      maxConcurrentWorkflowTasks: read.integer('WORKER_MAX_WORKFLOW_TASKS', 20, { min: 2, max: 1000 }),
      cachedWorkflows: read.optionalInteger('WORKER_CACHED_WORKFLOWS', { min: 2, max: 100_000 }),
      buildId: read.text('PERENNIAL_BUILD_ID') ?? version,
      deployment: read.text('PERENNIAL_DEPLOYMENT'),
    },
    shutdownDrainMs: read.integer('SHUTDOWN_DRAIN', 5, { min: 0, max: 3600 }) * 1000,
    shutdownGraceMs: read.integer('SHUTDOWN_GRACE', 35, { min: 0, max: 3600 }) * 1000,
  }
  read.finish()
  return config
}

/** What `npm start` takes from the environment: parts named here are used instead of started. */
export interface LocalSettings {
  readonly databaseUrl: string | undefined
  readonly temporalAddress: string | undefined
  readonly temporalNamespace: string
  readonly temporalTaskQueue: string
  readonly stripeApiKey: string | undefined
  readonly stripeApiBase: string | undefined
  readonly publicUrl: string | undefined
  readonly masterKey: string | undefined
  readonly previousMasterKey: string | undefined
}

/** Reads what runs already. Throws ConfigError as `readConfig` does. */
export function readLocalSettings(environment: Environment = process.env): LocalSettings {
  const read = reader(environment)
  const settings: LocalSettings = {
    databaseUrl: read.url('DATABASE_URL', ['postgres:', 'postgresql:']),
    temporalAddress: read.text('TEMPORAL_ADDRESS'),
    temporalNamespace: read.text('TEMPORAL_NAMESPACE') ?? 'default',
    temporalTaskQueue: read.text('TEMPORAL_TASK_QUEUE') ?? 'perennial',
    stripeApiKey: read.text('STRIPE_API_KEY'),
    stripeApiBase: withoutSlash(read.url('STRIPE_API_BASE', ['http:', 'https:'])),
    publicUrl: withoutSlash(read.url('PUBLIC_URL', ['http:', 'https:'])),
    masterKey: read.text('PERENNIAL_MASTER_KEY'),
    previousMasterKey: read.text('PERENNIAL_MASTER_KEY_PREVIOUS'),
  }
  const key = settings.stripeApiKey
  if (key !== undefined && !/^(sk|rk)_test_/.test(key)) {
    read.problem(
      'STRIPE_API_KEY',
      'npm start takes a test key only (sk_test_… or rk_test_…); install live keys over the API',
    )
  }
  read.finish()
  return settings
}

/** What clients of a running installation need: the command line. */
export interface ClientSettings {
  readonly apiUrl: string | undefined
  readonly apiKey: string | undefined
}

/** PERENNIAL_URL and PERENNIAL_API_KEY. */
export function readClientSettings(environment: Environment = process.env): ClientSettings {
  const text = (name: string): string | undefined =>
    environment[name] === '' ? undefined : environment[name]
  return { apiUrl: withoutSlash(text('PERENNIAL_URL')), apiKey: text('PERENNIAL_API_KEY') }
}

interface Reader {
  readonly text: (name: Variable) => string | undefined
  readonly url: (name: Variable, protocols: readonly string[]) => string | undefined
  readonly integer: (
    name: Variable,
    fallback: number,
    range: { readonly min: number; readonly max: number },
  ) => number
  /** undefined where it is not set. */
  readonly optionalInteger: (
    name: Variable,
    range: { readonly min: number; readonly max: number },
  ) => number | undefined
  readonly oneOf: <T extends string>(name: Variable, values: readonly T[], fallback: T) => T
  readonly flag: (name: Variable) => boolean
  readonly secret: (name: Variable, minLength: number) => string | undefined
  readonly missing: (name: Variable) => string
  readonly problem: (name: Variable, text: string) => void
  readonly finish: () => void
}

function reader(environment: Environment): Reader {
  const problems: string[] = []
  const problem = (name: Variable, text: string): void => void problems.push(`${name}: ${text}`)
  // An empty variable is what `docker run -e NAME=` leaves: the same as none.
  const text = (name: Variable): string | undefined => environment[name]?.trim() || undefined
  const missing = (name: Variable): string => {
    if (text(name) === undefined) problem(name, `is missing. ${variables[name]}`)
    return ''
  }
  const optionalInteger: Reader['optionalInteger'] = (name, { min, max }) => {
    const value = text(name)
    if (value === undefined) return undefined
    const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN
    if (number >= min && number <= max) return number
    problem(name, `"${value}" is not a whole number from ${min} to ${max}`)
    return undefined
  }
  return {
    text,
    missing,
    problem,
    url(name, protocols) {
      const value = text(name)
      if (value === undefined) return undefined
      if (URL.canParse(value) && protocols.includes(new URL(value).protocol)) return value
      // The value is not shown: a database URL carries a password.
      problem(
        name,
        `is not a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
      )
      return undefined
    },
    integer: (name, fallback, range) => optionalInteger(name, range) ?? fallback,
    optionalInteger,
    oneOf(name, values, fallback) {
      const value = text(name)
      if (value === undefined) return fallback
      const found = values.find((one) => one === value)
      if (found === undefined) problem(name, `"${value}" is not one of ${values.join(', ')}`)
      return found ?? fallback
    },
    flag(name) {
      const value = text(name) ?? 'false'
      if (value !== 'true' && value !== 'false') problem(name, `"${value}" is neither true nor false`)
      return value === 'true'
    },
    secret(name, minLength) {
      const value = text(name)
      if (value !== undefined && value.length < minLength)
        problem(name, `has ${value.length} characters; ${minLength} or more are needed`)
      return value
    },
    finish() {
      if (problems.length > 0) throw new ConfigError(problems)
    },
  }
}

function withoutSlash(url: string | undefined): string | undefined {
  return url?.replace(/\/+$/, '')
}
