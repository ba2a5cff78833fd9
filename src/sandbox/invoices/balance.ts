import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { update } from '../events.ts'
import { newId } from '../ids.ts'
import type { BalanceTransactionRecord, InvoiceRecord } from '../tables.ts'

interface BalanceChange {
  /** Negative is credit to the customer. */
  readonly amount: number
  readonly type: BalanceTransactionRecord['type']
}

/** Moves a customer's balance because of an invoice, and records the transaction. */
export function changeBalance(ctx: Context, invoice: InvoiceRecord, { amount, type }: BalanceChange): void {
  const customer = ctx.store.get('customers', invoice.customer)
  if (customer === undefined) return
  const balance = customer.balance + amount
  ctx.store.put('balanceTransactions', {
    id: newId('cbtxn'),
    object: 'customer_balance_transaction',
    amount,
    checkout_session: null,
    created: timeOf(ctx, customer.test_clock),
    credit_note: null,
    currency: invoice.currency,
    customer: customer.id,
    customer_account: null,
    description: null,
    ending_balance: balance,
    invoice: invoice.id,
    livemode: false,
    metadata: {},
    type,
  })
  if (!customer._deleted) update(ctx, 'customer.updated', ['customers', { ...customer, balance }])
}
