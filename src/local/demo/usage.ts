import type { Api } from '../../cli/api-client.ts'
import type { DemoCustomer } from './customers.ts'

const dayMs = 86_400_000
const batchSize = 500

interface DemoEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: { readonly tokens: number; readonly kind: 'context' | 'generated' }
}

export interface UsageMonth {
  readonly eventType: string
  readonly fromMs: number
  readonly toMs: number
}

/** A month of requests for every customer: two events a day each, the same on every machine. Returns their number. */
export async function ingestMonth(
  api: Api,
  customers: readonly DemoCustomer[],
  month: UsageMonth,
): Promise<number> {
  const events = customers.flatMap((customer) => eventsOf(customer, month))
  for (let at = 0; at < events.length; at += batchSize)
    await api.post('/api/v1/events', events.slice(at, at + batchSize))
  return events.length
}

function eventsOf(customer: DemoCustomer, { eventType, fromMs, toMs }: UsageMonth): readonly DemoEvent[] {
  const events: DemoEvent[] = []
  for (let atMs = fromMs + dayMs / 2, day = 0; atMs < toMs; atMs += dayMs, day += 1) {
    for (const kind of ['context', 'generated'] as const) {
      const share = kind === 'context' ? 800 : 200
      // Moves by a quarter over the week, so that the months differ.
      const tokens = customer.dailyThousands * share + ((day * 7_919) % 251) * customer.dailyThousands
      const id = `${customer.subject}-${new Date(atMs).toISOString().slice(0, 10)}-${kind}`
      events.push({
        specversion: '1.0',
        id,
        source: 'demo',
        type: eventType,
        subject: customer.subject,
        time: new Date(atMs).toISOString(),
        data: { tokens, kind },
      })
    }
  }
  return events
}
