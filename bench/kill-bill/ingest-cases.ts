import type { Case, Sample, Side } from '../support/benchmark.ts'
import { cpuMeter } from '../support/cpu.ts'
import { chunks, makeEvents } from '../support/events.ts'
import { postRequest, sendAll } from '../support/http-load.ts'
import type { Sides } from './comparison.ts'
import { THEM } from './comparison.ts'
import { usageRequest } from './usage-request.ts'

const sizes = [
  { name: 'usage, 1 record a request', batch: 1, records: 1000, connections: 16 },
  { name: 'usage, 100 records a request', batch: 100, records: 10_000, connections: 8 },
] as const
type Size = (typeof sizes)[number]

/** New usage, exactly deduplicated on both sides, durable when it is answered. */
export function* ingestCases(sides: Sides): Generator<Case> {
  for (const size of sizes) {
    yield {
      name: size.name,
      unit: 'events/s',
      setup: sides.setup,
      targets: [{ figure: 'median', of: THEM, bound: 'least', value: 1 }],
      sides: [ours(sides, size), theirs(sides, size)],
    }
  }
}

function ours({ bench, api }: Sides, { batch, records, connections }: Size): Side {
  const run = async (): Promise<Sample> => {
    const events = makeEvents(records, { subjects: 20, spreadMs: 86_400_000 })
    const requests = chunks(events, batch).map((some) =>
      postRequest('/api/v1/events', api.key, JSON.stringify(some)),
    )
    const cpu = await cpuMeter(bench, [api.pid])
    const { seconds, p99Ms } = await sendAll({ port: api.port, connections, requests })
    return { value: records / seconds, p99: p99Ms, ...(await cpu(records)) }
  }
  return { name: 'ours', run }
}

function theirs({ bench, killBill, subscribers }: Sides, { batch, records, connections }: Size): Side {
  const run = async (): Promise<Sample> => {
    const requests = Array.from({ length: records / batch }, (_unused, n) =>
      usageRequest(subscribers[n % subscribers.length]?.subscriptionId ?? '', { month: 0, records: batch }),
    )
    const cpu = await cpuMeter(bench, [killBill.pid])
    const { seconds, p99Ms } = await sendAll({ port: killBill.port, connections, requests })
    return { value: records / seconds, p99: p99Ms, ...(await cpu(records)) }
  }
  return { name: THEM, run }
}
