import type { Database } from '../db/connection.ts'
import { setAppStatus } from '../db/stores/app-care.ts'
import type { AppStatus, AppWithKey } from '../db/stores/app-care.ts'
import type { KeyWatch } from '../stripe/types.ts'

interface Log {
  readonly warn: (fields: object, message: string) => void
}

/** Keeps in the app's row whether Stripe accepts its key. */
export function keyWatch(db: Database, log: Log): KeyWatch {
  const set = async (app: AppWithKey, status: AppStatus): Promise<boolean> => {
    try {
      const outcome = await setAppStatus(db, app, status)
      if (outcome === 'changed')
        log.warn({ appId: app.id, status: status.status }, 'the status of an app changed')
      return outcome !== 'passed_over'
    } catch (error) {
      log.warn({ appId: app.id, err: error }, 'the status of an app could not be kept')
      return false
    }
  }
  return {
    refused: async (app, message) => {
      await set(app, { status: 'unauthorized', reason: `Stripe does not accept the key: ${message}` })
    },
    accepted: async (app) => await set(app, { status: 'ready', reason: null }),
  }
}
