import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { update } from '../events.ts'
import { newId } from '../ids.ts'
import type { BalanceTransactionRecord, InvoiceRecord, Metadata } from '../records.ts'

interface BalanceTarget {
  readonly customer: string
  readonly currency: string
  readonly invoice: string | null
}

interface BalanceChange {
  /** Negative is credit to the customer. */
  readonly amount: number
  readonly type: BalanceTransactionRecord['type']
  readonly creditNote?: string
  readonly description?: string | null
  readonly metadata?: Metadata
}

/** The customer's balance, moved because of an invoice. */
export function targetOf({ customer, currency, id }: InvoiceRecord): BalanceTarget {
  return { customer, currency, invoice: id }
}

/** Moves a customer's balance, and records the transaction. */
export function changeBalance(
  ctx: Context,
  target: BalanceTarget,
  change: BalanceChange,
): BalanceTransactionRecord {
  const customer = ctx.store.get('customers', target.customer)
  if (customer === undefined) throw new Error(`no customer ${target.customer}`)
  const balance = customer.balance + change.amount
  if (!customer._deleted) update(ctx, 'customer.updated', ['customers', { ...customer, balance }])
  return ctx.store.put('balanceTransactions', {
    id: newId('cbtxn'),
    object: 'customer_balance_transaction',
    amount: change.amount,
    checkout_session: null,
    created: timeOf(ctx, customer.test_clock),
    credit_note: change.creditNote ?? null,
    currency: target.currency,
    customer: customer.id,
    customer_account: null,
    description: change.description ?? null,
    ending_balance: balance,
    invoice: target.invoice,
    livemode: false,
    metadata: change.metadata ?? {},
    type: change.type,
  })
}
