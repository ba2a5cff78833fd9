import type { Db } from '../db/connection.ts'

/** Now, for a customer: where their test clock stands, else the real time given (milliseconds). */
export async function nowForCustomer(db: Db, customerId: string, realNow: Date): Promise<number> {
  const row = await db
    .selectFrom('customers')
    .innerJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select('testClocks.frozenTime')
    .where('customers.id', '=', customerId)
    .executeTakeFirst()
  return (row?.frozenTime ?? realNow).getTime()
}
