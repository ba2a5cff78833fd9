import { randomUUID } from 'node:crypto'
import { bodyRequest } from '../support/http-load.ts'
import { killBillHeaders, usageBody } from './client.ts'

export interface UsageOf {
  /** Months after the first one. */
  readonly month: number
  readonly records: number
  readonly amount?: number
}

/** Records of usage over the days of a month, under a tracking id of their own. */
export function usageRequest(subscriptionId: string, { month, records, amount }: UsageOf): Buffer {
  const usage = Array.from({ length: records }, (_unused, n) => ({
    recordDate: new Date(Date.UTC(2025, month, 2 + (n % 26))).toISOString().slice(0, 10),
    amount: amount ?? 1 + ((n * 7919) % 4096),
  }))
  return bodyRequest('/1.0/kb/usages', killBillHeaders, usageBody(subscriptionId, randomUUID(), usage))
}
