/** What the sandbox itself has on record: its tables, read past its API. */
export interface StripeInvoice {
  readonly id: string
  readonly status: 'draft' | 'open' | 'paid' | 'void' | 'uncollectible'
  readonly currency: string
  readonly number: string | null
  readonly subtotal: number
  readonly total: number
  readonly amount_due: number
  readonly amount_paid: number
  readonly amount_paid_off_stripe?: number
  readonly starting_balance: number
  readonly ending_balance: number | null
  readonly metadata: Readonly<Record<string, string>>
}

export interface StripeItem {
  readonly id: string
  readonly invoice: string | null
  readonly amount: number
  readonly currency: string
  readonly metadata: Readonly<Record<string, string>>
}

export interface StripeCharge {
  readonly id: string
  readonly status: 'succeeded' | 'pending' | 'failed'
  readonly amount: number
  readonly amount_refunded: number
  readonly currency: string
  readonly _invoice: string | null
}

interface Numbered {
  readonly id: string
}

export interface TheirSide {
  readonly invoices: readonly StripeInvoice[]
  /** By the Stripe invoice that they are on; '' where they wait for one. */
  readonly items: ReadonlyMap<string, readonly StripeItem[]>
  readonly charges: readonly StripeCharge[]
  readonly refunds: readonly Numbered[]
  readonly creditNotes: readonly Numbered[]
}

/** A table at a time: all of them together may be longer than a text can be. */
async function tableOf<T>(sandboxUrl: string, table: string): Promise<readonly T[]> {
  const response = await fetch(`${sandboxUrl}/_sandbox/dump?table=${table}`)
  if (!response.ok) throw new Error(`the sandbox answered ${response.status}`)
  const tables = (await response.json()) as Readonly<Record<string, readonly T[]>>
  return tables[table] ?? []
}

export async function readTheirSide(sandboxUrl: string): Promise<TheirSide> {
  return {
    invoices: await tableOf<StripeInvoice>(sandboxUrl, 'invoices'),
    items: groupBy(await tableOf<StripeItem>(sandboxUrl, 'invoiceItems'), ({ invoice }) => invoice ?? ''),
    charges: await tableOf<StripeCharge>(sandboxUrl, 'charges'),
    refunds: await tableOf<Numbered>(sandboxUrl, 'refunds'),
    creditNotes: await tableOf<Numbered>(sandboxUrl, 'creditNotes'),
  }
}

/** In one pass: fleets have tens of thousands of rows. */
export function groupBy<T>(rows: Iterable<T>, keyOf: (row: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}
