import type { Database } from '../db/connection.ts'
import { setAppStatus } from '../db/stores/app-care.ts'
import type { AppStatus } from '../db/stores/app-care.ts'
import type { KeyWatch } from '../stripe/types.ts'

interface Log {
  readonly warn: (fields: object, message: string) => void
}

/** Keeps in the app's row whether Stripe accepts its key. */
export function keyWatch(db: Database, log: Log): KeyWatch {
  const set = async (appId: string, status: AppStatus): Promise<void> => {
    try {
      if (await setAppStatus(db, appId, status))
        log.warn({ appId, ...status }, 'the status of an app changed')
    } catch (error) {
      log.warn({ appId, err: error }, 'the status of an app could not be kept')
    }
  }
  return {
    refused: async (app, message) =>
      await set(app.id, { status: 'unauthorized', reason: `Stripe does not accept the key: ${message}` }),
    accepted: async (app) => await set(app.id, { status: 'ready', reason: null }),
  }
}
