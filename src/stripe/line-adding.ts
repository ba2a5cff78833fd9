import type { Stripe } from 'stripe'
import type { Connection } from './client.ts'
import { lineParams, missingChunks } from './invoice-lines.ts'
import type { LineChunk, ProcessorLine } from './invoice-lines.ts'
import { currentInvoice, retrieveInvoice } from './invoice-view.ts'
import { taxParams } from './line-params.ts'

interface Adding {
  readonly target: Stripe.Invoice
  readonly lines: readonly ProcessorLine[]
  /** Our ids of the lines that are there. */
  readonly present: ReadonlySet<string>
  readonly keyOf: (fingerprint: string) => string
}

/** Adds what is missing, in order: in batches, and each line that names its tax as an item; the invoice after it. */
export async function addMissingLines(
  connection: Connection,
  adding: Adding,
): Promise<Stripe.Invoice | null> {
  const chunks = missingChunks(adding.lines, adding.present)
  let changed: Stripe.Invoice | null = null
  for (const chunk of chunks) {
    if (chunk.way === 'batch') changed = await addBatch(connection, adding, chunk)
    else await addItem(connection, adding, chunk)
  }
  // An item's reply is the item and not the invoice.
  const { target } = adding
  return chunks.at(-1)?.way === 'item' ? await retrieveInvoice(connection, target.id) : changed
}

async function addBatch(
  connection: Connection,
  { target, keyOf }: Adding,
  chunk: LineChunk,
): Promise<Stripe.Invoice> {
  const lines = chunk.lines.map(lineParams)
  const idempotencyKey = keyOf(chunk.fingerprint)
  const reply = await connection.call('invoices.add_lines', (stripe) =>
    stripe.invoices.addLines(target.id, { lines }, { idempotencyKey }),
  )
  return await currentInvoice(connection, reply)
}

async function addItem(
  connection: Connection,
  { target, keyOf }: Adding,
  { lines, fingerprint }: LineChunk,
): Promise<void> {
  for (const line of lines) {
    const owner = { customer: target.customer as string, invoice: target.id, currency: target.currency }
    const item = { ...owner, ...lineParams(line), ...taxParams(line) }
    await connection.call('invoice_items.create', (stripe) =>
      stripe.invoiceItems.create(item, { idempotencyKey: keyOf(fingerprint) }),
    )
  }
}
