import { setTimeout as delay } from 'node:timers/promises'
import { openCloses } from '../close.ts'
import { worldSetup } from '../close/world.ts'
import type { Case, Sample, Side } from '../support/benchmark.ts'
import { cpuMeter } from '../support/cpu.ts'
import { sendAll } from '../support/http-load.ts'
import type { Sides } from './comparison.ts'
import { THEM } from './comparison.ts'
import { usageRequest } from './usage-request.ts'

const POLL_MS = 50

const RECORDS = 10
/** Of each record: ten reach the second tier. */
const AMOUNT = 250
/** Of an invoice: the fee and the usage. */
const LINES = 2

/**
 * All subscribers due at one instant, a fee and ten records of usage in two tiers each, until there is an invoice of each with
 * its lines; Kill Bill's end with that. Ours do it in three ways, each more work than the one before: with discounts that leave
 * nothing to collect; as drafts, each with a workflow that waits for its approval; issued, collected and paid at the sandbox.
 */
export async function* closeCases(sides: Sides): AsyncGenerator<Case> {
  const { bench, subscribers, setup } = sides
  const closes = await openCloses(bench, subscribers.length)
  const them = theirClose(sides)
  const of = `close of ${subscribers.length.toLocaleString('en-US')} subscriptions`
  const common = {
    unit: 'invoices/s',
    setup: `${setup}; ours on ${worldSetup}`,
    targets: [{ figure: 'median', of: THEM, bound: 'least', value: 1 }],
  } as const
  try {
    yield { ...common, name: `${of}, ours with nothing to collect`, sides: [closes.discounted, them] }
    yield { ...common, name: `${of}, ours until drafted for approval`, sides: [closes.drafted, them] }
    yield { ...common, name: `${of}, ours until paid at the sandbox`, sides: [closes.paid, them] }
  } finally {
    await closes.stop()
  }
}

/** From the clock's step over the month's end until all have their invoice. */
function theirClose({ bench, killBill, killBillDb, subscribers }: Sides): Side {
  let month = 0
  const rowsOf = async (table: 'invoices' | 'invoice_items'): Promise<number> => {
    const { rows } = await killBillDb.query<{ count: string }>(`SELECT count(*) FROM ${table}`)
    return Number(rows[0]?.count)
  }
  const run = async (): Promise<Sample> => {
    const usage = subscribers.map(({ subscriptionId }) =>
      usageRequest(subscriptionId, { month, records: RECORDS, amount: AMOUNT }),
    )
    await sendAll({ port: killBill.port, connections: 8, requests: usage })
    month += 1
    const due = (await rowsOf('invoices')) + subscribers.length
    const lines = (await rowsOf('invoice_items')) + subscribers.length * LINES
    const cpu = await cpuMeter(bench, [killBill.pid])
    const begun = performance.now()
    // Its answer comes when its queues have calmed down: not waited for.
    const moved = killBill.advanceMonth()
    while ((await rowsOf('invoices')) < due) await delay(POLL_MS)
    const seconds = (performance.now() - begun) / 1000
    const spent = await cpu(subscribers.length)
    await moved
    const written = await rowsOf('invoice_items')
    if (written !== lines) throw new Error(`${THEM} wrote ${written - lines} lines more than expected`)
    return { value: subscribers.length / seconds, ...spent }
  }
  return { name: THEM, run }
}
