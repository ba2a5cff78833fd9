/** An item with the invoice of the processor that holds it. */
export interface InvoicedItem {
  readonly amountMinor: bigint
  /** null: none has taken it up yet. */
  readonly invoice: string | null
  /** Of that invoice. */
  readonly status: string | null
}

export interface ItemSettlement {
  readonly status: 'open' | 'paid' | 'voided' | 'uncollectible'
  readonly paidMinor: bigint
  /** What is not paid and why, for people; null when all is. */
  readonly reason: string | null
}

const words: Readonly<Record<string, string>> = {
  draft: 'is not finalized yet',
  open: 'is not paid yet',
  void: 'was voided',
  uncollectible: 'was marked uncollectible',
}

/**
 * What an invoice is whose items the processor bills on invoices of its own: paid when all of those are. One that was
 * voided there beside others that were paid leaves a part that nobody will pay.
 */
export function settlementOf(items: readonly InvoicedItem[]): ItemSettlement {
  const paid = items.filter(({ status }) => status === 'paid')
  const unpaid = items.filter(({ status }) => status !== 'paid')
  const paidMinor = paid.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
  const reasons = new Set(
    unpaid.map(({ invoice, status }) =>
      invoice === null
        ? 'no invoice at Stripe has taken it up yet'
        : `${invoice} ${words[status ?? ''] ?? status}`,
    ),
  )
  const reason = reasons.size === 0 ? null : [...reasons].join('; ')
  return { status: statusOf(paid, unpaid), paidMinor, reason }
}

function statusOf(paid: readonly InvoicedItem[], unpaid: readonly InvoicedItem[]): ItemSettlement['status'] {
  if (unpaid.length === 0) return 'paid'
  const isOver = unpaid.every(({ status }) => status === 'void' || status === 'uncollectible')
  if (!isOver) return 'open'
  const allVoid = paid.length === 0 && unpaid.every(({ status }) => status === 'void')
  return allVoid ? 'voided' : 'uncollectible'
}
