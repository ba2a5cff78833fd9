import { catalog, PLAN, UNIT } from './catalog.ts'

const headers = {
  authorization: `Basic ${Buffer.from('admin:password').toString('base64')}`,
  'x-killbill-apikey': 'bench',
  'x-killbill-apisecret': 'bench-secret',
  'x-killbill-createdby': 'bench',
} as const

export interface KillBillSubscriber {
  readonly accountId: string
  readonly subscriptionId: string
}

export interface UsageRecord {
  readonly recordDate: string
  readonly amount: number
}

/** What the comparison asks of Kill Bill over HTTP. */
export interface KillBill {
  readonly setUp: (startsAt: string) => Promise<void>
  readonly subscribe: () => Promise<KillBillSubscriber>
  readonly advanceMonth: () => Promise<void>
}

export function killBillClient(port: number): KillBill {
  const call = async (method: string, path: string, body?: unknown, type = 'application/json') => {
    const response = await fetch(`http://127.0.0.1:${port}/1.0/kb/${path}`, {
      method,
      headers: { ...headers, 'content-type': type },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 500)}`)
    return response.headers.get('location') ?? ''
  }
  const make = async (path: string, body: unknown): Promise<string> => idOf(await call('POST', path, body))
  return {
    setUp: async (startsAt) => {
      await call('POST', 'tenants', { apiKey: 'bench', apiSecret: 'bench-secret' })
      await call('POST', `test/clock?requestedDate=${encodeURIComponent(startsAt)}`)
      await call('POST', 'catalog/xml', catalog, 'text/xml')
    },
    subscribe: async () => {
      const account = { currency: 'USD', billCycleDayLocal: 1, timeZone: 'UTC', name: 'Bench' }
      const accountId = await make('accounts', account)
      const subscriptionId = await make('subscriptions', { accountId, planName: PLAN })
      return { accountId, subscriptionId }
    },
    advanceMonth: async () => void (await call('PUT', 'test/clock?months=1')),
  }
}

const idOf = (location: string): string => location.split('?')[0]?.split('/').at(-1) ?? ''

/** One request of usage: its tracking id is what duplicates are known by. */
export function usageBody(
  subscriptionId: string,
  trackingId: string,
  records: readonly UsageRecord[],
): string {
  return JSON.stringify({
    subscriptionId,
    trackingId,
    unitUsageRecords: [{ unitType: UNIT, usageRecords: records }],
  })
}

export const killBillHeaders: Readonly<Record<string, string>> = {
  ...headers,
  'content-type': 'application/json',
  accept: 'application/json',
}
