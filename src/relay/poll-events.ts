import { pollPage } from '../billing/polled-events.ts'
import type { PolledEventsDeps } from '../billing/polled-events.ts'
import { endPolling, listPolledApps } from '../db/stores/event-polling.ts'
import { periodically } from '../periodic.ts'
import type { Periodic } from '../periodic.ts'

export interface PollDeps extends PolledEventsDeps {
  readonly log: { readonly warn: (fields: object, message: string) => void }
}

const POLL_EVERY_MS = 10_000

/**
 * Reads the events of Stripe accounts that have no webhook endpoint, or a broken one, into the inbox, where webhooks go too.
 * Run as many as there are workers: one account is polled by one at a time.
 */
export function startEventPolling(deps: PollDeps, everyMs = POLL_EVERY_MS): Periodic {
  return periodically(async (stopping) => await pollEvents(deps, stopping), { everyMs })
}

/** One look at every account without an endpoint. What fails is logged and tried again at the next look. */
export async function pollEvents(deps: PollDeps, stopping?: AbortSignal): Promise<void> {
  try {
    for (const appId of await listPolledApps(deps.db)) await pollApp(deps, appId, stopping)
  } catch (error) {
    deps.log.warn({ err: error }, 'apps could not be read; it is tried again')
  }
}

async function pollApp(deps: PollDeps, appId: string, stopping?: AbortSignal): Promise<void> {
  try {
    for (;;) {
      const page = await pollPage(deps, appId, 'pass')
      if (page === 'elsewhere') return
      if (page === 'not_permitted') {
        deps.log.warn(
          { appId },
          'the key may not read events: what no webhook tells is seen at the next look',
        )
        return
      }
      if (page.count === 0) return await endPolling(deps.db, appId, page.askedAt)
      if (stopping?.aborted === true) return
    }
  } catch (error) {
    deps.log.warn({ appId, err: error }, 'events could not be polled; it is tried again')
  }
}
