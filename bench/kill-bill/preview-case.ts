import { seedShop, subscriptionsWithUsage } from '../support/billing-rows.ts'
import type { Case, Sample, Side } from '../support/benchmark.ts'
import { bodyRequest, getRequest, sendAll } from '../support/http-load.ts'
import { killBillHeaders } from './client.ts'
import type { Sides } from './comparison.ts'
import { THEM } from './comparison.ts'
import { usageRequest } from './usage-request.ts'

const PREVIEWED = 20
const calls = { tiny: 4, small: 100, full: 200 } as const
/** As many records of usage as each of ours has, by the hundred. */
const REQUESTS_EACH = 10

/** What a subscriber with a thousand records of usage would be billed at the end of the month: one caller, one by one. */
export async function previewCase(sides: Sides): Promise<Case> {
  const { bench, api, killBill, setup } = sides
  await seedShop(bench.pool, PREVIEWED * 10)
  const theirs = sides.subscribers.slice(0, PREVIEWED)
  const usage = theirs.flatMap(({ subscriptionId }) =>
    Array.from({ length: REQUESTS_EACH }, () => usageRequest(subscriptionId, { month: 0, records: 100 })),
  )
  await sendAll({ port: killBill.port, connections: 4, requests: usage })
  const count = calls[bench.size]
  const ids = subscriptionsWithUsage(PREVIEWED * 10)
  const ours = Array.from({ length: count }, (_unused, n) =>
    getRequest(`/api/v1/subscriptions/${ids[n % ids.length]}/upcoming-invoice`, api.key),
  )
  const dryRuns = Array.from({ length: count }, (_unused, n) =>
    bodyRequest(
      `/1.0/kb/invoices/dryRun?accountId=${theirs[n % theirs.length]?.accountId}&targetDate=2025-02-01`,
      killBillHeaders,
      '{"dryRunType":"TARGET_DATE"}',
    ),
  )
  return {
    name: 'preview of 1,000 records',
    unit: 'ms',
    setup,
    targets: [
      { figure: 'median', of: THEM, bound: 'most', value: 1 },
      { figure: 'p99', of: THEM, bound: 'most', value: 1 },
    ],
    sides: [one('ours', api.port, ours), one(THEM, killBill.port, dryRuns)],
  }
}

function one(name: string, port: number, requests: readonly Buffer[]): Side {
  const run = async (): Promise<Sample> => {
    const { p50Ms, p99Ms } = await sendAll({ port, connections: 1, requests })
    return { value: p50Ms, p99: p99Ms }
  }
  return { name, run }
}
