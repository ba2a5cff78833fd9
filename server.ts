import { setTimeout as delay } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import { pino } from 'pino'
import { defaultLimits } from './src/api/admission.ts'
import { buildApp } from './src/api/app.ts'
import type { ApiDeps } from './src/api/deps.ts'
import { assertBindAllowed, isLoopback } from './src/api/plugins/authentication.ts'
import { keyWatch } from './src/billing/key-watch.ts'
import { readConfig } from './src/config.ts'
import { openDatabase } from './src/db/connection.ts'
import { isDatabaseAway } from './src/db/database-away.ts'
import { requireSchema } from './src/db/migrate.ts'
import { countApiKeys } from './src/db/stores/api-keys.ts'
import { requireTransactionIds } from './src/db/transaction-ids.ts'
import { apiObserver } from './src/metrics/api.ts'
import { listenForScrapes } from './src/metrics/listener.ts'
import { processRegistry } from './src/metrics/registry.ts'
import { stripeObserver } from './src/metrics/stripe.ts'
import { newId } from './src/new-id.ts'
import { createStripeGateway } from './src/stripe/gateway.ts'
import { loggedError } from './src/stripe/logged-error.ts'
import { connectTemporal } from './src/temporal/gateway.ts'
import { version } from './src/version.ts'

// The API process. Stateless: run as many as you like.
const LOOK_AGAIN_MS = 1_000
const config = readConfig()
const log = pino({ level: config.logLevel, base: { process: 'api' }, serializers: { err: loggedError } })
const db = openDatabase({
  connectionString: config.databaseUrl,
  maxConnections: config.databasePoolSize,
  applicationName: 'perennial-api',
})
const watch = openDatabase({
  connectionString: config.databaseUrl,
  maxConnections: 1,
  applicationName: 'perennial-ready',
})
const registry = processRegistry(db)
const temporal = await connectTemporal(config.temporal)
// Another address than Stripe's own is a sandbox: it has no limits.
const stripe = createStripeGateway({
  masterKey: config.masterKey,
  ...(config.previousMasterKey !== undefined && { previousMasterKey: config.previousMasterKey }),
  allowLiveKeys: config.stripe.allowLiveKeys,
  keyWatch: keyWatch(db, log),
  observer: stripeObserver(registry),
  ...(config.stripe.baseUrl === undefined ? {} : { baseUrl: config.stripe.baseUrl, limits: false as const }),
})
const deps: ApiDeps = {
  db,
  watch,
  temporal,
  stripe,
  config: { publicUrl: config.publicUrl },
  newId,
  now: () => new Date(),
  log,
  observer: apiObserver(registry),
}
const isChecked = await checkDatabase()
const app = await buildApp(deps, {
  limits: { ...defaultLimits, ...config.limits, queuedQueries: 10 * config.databasePoolSize },
  beyondLoopback: !isLoopback(config.host),
})
const { host, port } = config.metrics
const metrics = port === undefined ? null : await listenForScrapes({ host, port, registry })

closeWithGrace({ delay: 2 * config.shutdownDrainMs + config.shutdownGraceMs }, async ({ err, signal }) => {
  if (err !== undefined) log.fatal({ err }, 'the API ended by an error')
  else log.info({ signal }, 'the API is stopping')
  if (err === undefined) await app.drain(config.shutdownDrainMs)
  await app.close()
  await metrics?.close()
  await temporal.close()
  await watch.destroy()
  await db.destroy()
})
await app.listen({ host: config.host, port: config.port })
log.info({ version }, 'the API runs')
if (!isChecked) await untilChecked()

async function untilChecked(): Promise<void> {
  log.warn('the database cannot be reached; the API is ready as soon as it can')
  while (!app.isDraining()) {
    await delay(LOOK_AGAIN_MS)
    if (app.isDraining() || !(await checkDatabase())) continue
    log.info('the database is there')
    return
  }
}

/** Throws where the API must not run on it; false: it cannot be reached now. */
async function checkDatabase(): Promise<boolean> {
  try {
    if (!(await requireSchema(db))) return false
    await requireTransactionIds(db)
    assertBindAllowed(config.host, await countApiKeys(db))
    return true
  } catch (error) {
    if (isDatabaseAway(error)) return false
    throw error
  }
}
