import type { Db } from '../db/connection.ts'
import { invoicesOfStripeEvents } from '../db/stores/invoices-of-events.ts'
import type { InvoiceOfEvent } from '../db/stores/invoices-of-events.ts'
import type { StripeEventRow } from '../db/stores/stripe-events.ts'
import type { HandlerDeps } from './handlers/outcome.ts'

interface Asked {
  readonly event: StripeEventRow
  readonly resolve: (invoice: InvoiceOfEvent | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Looks up the invoices of events: those that are asked for at one time in one statement. */
export function invoiceLookup(db: Db): HandlerDeps['invoiceOf'] {
  const waiting: Asked[] = []
  const answer = async (): Promise<void> => {
    const asked = waiting.splice(0)
    try {
      const invoices = await invoicesOfStripeEvents(
        db,
        asked.map(({ event }) => event),
      )
      for (const [index, { resolve }] of asked.entries()) resolve(invoices[index])
    } catch (error) {
      for (const { reject } of asked) reject(error)
    }
  }
  return async (event) =>
    await new Promise((resolve, reject) => {
      waiting.push({ event, resolve, reject })
      if (waiting.length === 1) queueMicrotask(() => void answer())
    })
}
