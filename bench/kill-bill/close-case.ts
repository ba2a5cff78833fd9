import { setTimeout as delay } from 'node:timers/promises'
import { close } from '../close.ts'
import type { Case, Sample, Side } from '../support/benchmark.ts'
import { cpuMeter } from '../support/cpu.ts'
import { sendAll } from '../support/http-load.ts'
import type { Sides } from './comparison.ts'
import { THEM } from './comparison.ts'
import { usageRequest } from './usage-request.ts'

const POLL_MS = 50

/**
 * All subscribers due at one instant, a fee and ten records of usage in two tiers each: until Kill Bill has made its
 * invoices, until ours are paid at the sandbox too.
 */
export async function* closeCase(sides: Sides): AsyncGenerator<Case> {
  const { bench, subscribers, setup } = sides
  for await (const one of close.cases(bench)) {
    const [ours] = one.sides
    if (ours === undefined || one.point?.size !== subscribers.length) continue
    yield {
      name: `close of ${subscribers.length.toLocaleString('en-US')} subscriptions`,
      unit: one.unit,
      setup: `${setup}; ours on ${one.setup}`,
      targets: [{ figure: 'median', of: THEM, bound: 'least', value: 1 }],
      sides: [ours, theirClose(sides)],
    }
  }
}

/** From the clock's step over the month's end until all have their invoice. */
function theirClose({ bench, killBill, killBillDb, subscribers }: Sides): Side {
  let month = 0
  const invoices = async (): Promise<number> => {
    const { rows } = await killBillDb.query<{ count: string }>('SELECT count(*) FROM invoices')
    return Number(rows[0]?.count)
  }
  const run = async (): Promise<Sample> => {
    const usage = subscribers.map(({ subscriptionId }) =>
      usageRequest(subscriptionId, { month, records: 10, amount: 25 }),
    )
    await sendAll({ port: killBill.port, connections: 8, requests: usage })
    month += 1
    const due = (await invoices()) + subscribers.length
    const cpu = await cpuMeter(bench, [killBill.pid])
    const begun = performance.now()
    // Its answer comes when its queues have calmed down: not waited for.
    const moved = killBill.advanceMonth()
    while ((await invoices()) < due) await delay(POLL_MS)
    const seconds = (performance.now() - begun) / 1000
    const spent = await cpu(subscribers.length)
    await moved
    return { value: subscribers.length / seconds, ...spent }
  }
  return { name: THEM, run }
}
