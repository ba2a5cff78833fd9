import type { Db } from '../db/connection.ts'
import { frozenTimeOf } from '../db/stores/billing-settings.ts'

/** Now, for a customer: where their test clock stands, else the real time given (milliseconds). */
export async function nowForCustomer(db: Db, customerId: string, realNow: Date): Promise<number> {
  return ((await frozenTimeOf(db, customerId)) ?? realNow).getTime()
}
