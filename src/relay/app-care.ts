import type { Database } from '../db/connection.ts'
import { listCaredApps, setAppStatus, setWebhookProblem } from '../db/stores/app-care.ts'
import { isDomainError } from '../domain/errors.ts'
import { periodically } from '../periodic.ts'
import type { Periodic } from '../periodic.ts'
import { lacksPermission } from '../stripe/permissions.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { WebhookEndpointState } from '../stripe/webhook-types.ts'

export interface AppCareDeps {
  readonly db: Database
  readonly stripe: Pick<StripeGateway, 'checkWebhookEndpoint' | 'inspectKey' | 'decryptSecret'>
  readonly log: { readonly warn: (fields: object, message: string) => void }
}

const CARE_EVERY_MS = 5 * 60 * 1000

/** Looks now and then whether webhook endpoints are still what we made, and whether refused keys work again. */
export function startAppCare(deps: AppCareDeps, everyMs = CARE_EVERY_MS): Periodic {
  return periodically(async () => await careForApps(deps), { everyMs })
}

/** One look at every app. What fails is logged and tried again at the next. */
export async function careForApps(deps: AppCareDeps): Promise<void> {
  try {
    for (const app of await listCaredApps(deps.db)) await careFor(deps, app)
  } catch (error) {
    deps.log.warn({ err: error }, 'apps could not be read; it is tried again')
  }
}

type CaredApp = Awaited<ReturnType<typeof listCaredApps>>[number]

async function careFor({ db, stripe, log }: AppCareDeps, app: CaredApp): Promise<void> {
  try {
    if (app.status === 'unauthorized') {
      await stripe.inspectKey(
        stripe.decryptSecret(app.apiKeyEncrypted ?? '', { appId: app.id, field: 'api_key' }),
      )
      await setAppStatus(db, app, { status: 'ready', reason: null })
    }
    if (app.webhookEndpointId === null) return
    const problem = problemOf(await stripe.checkWebhookEndpoint(app))
    if (problem !== null && problem !== app.webhookProblem)
      log.warn({ appId: app.id, problem }, 'the webhook endpoint has to be repaired; events are polled')
    await setWebhookProblem(db, app, problem)
  } catch (error) {
    const isKnown = app.status === 'unauthorized' && isDomainError(error)
    // A key that may not read endpoints says nothing about them.
    if (!isKnown && !lacksPermission(error))
      log.warn({ appId: app.id, err: error }, 'the app could not be looked at')
  }
}

/** In words; null: nothing. That it is at an address of before is seen by who knows the present one: the doctor. */
function problemOf({ exists, enabled, missingEvents }: WebhookEndpointState): string | null {
  if (!exists) return 'The webhook endpoint is gone at Stripe.'
  if (!enabled) return 'The webhook endpoint is disabled at Stripe.'
  if (missingEvents.length > 0) return `The webhook endpoint does not send ${missingEvents.join(', ')}.`
  return null
}
