import type { Command } from 'commander'
import { invoiceIdOf } from '../invoice-id.ts'
import { jsonOption, withTarget } from '../options.ts'
import { printData, textFields } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'

interface ActedInvoice {
  readonly id: string
  readonly number: string
  readonly currency: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly totals: { readonly total: string }
  readonly nextActionAt?: string
  readonly paymentUrl?: string
  readonly validationIssues?: readonly { readonly code: string; readonly message: string }[]
}

type Options = TargetOptions & OutputOptions

/** What a person can do with an invoice: adds approve, retry and void. */
export function addInvoiceActions(invoices: Command): void {
  withTarget(invoices.command('approve <idOrNumber>'))
    .description('Approve a draft: it is issued and collected at Stripe')
    .addOption(jsonOption())
    .action(async (id: string, options: Options) => await act('approve', id, { options }))
  withTarget(invoices.command('retry <idOrNumber>'))
    .description('Try again now what failed: issuing, or the payment')
    .addOption(jsonOption())
    .action(async (id: string, options: Options) => await act('retry', id, { options }))
  withTarget(invoices.command('void <idOrNumber>'))
    .description('Void an invoice as a whole, here and at Stripe; its period is not billed again')
    .requiredOption('--reason <text>', 'why, for the record (required)')
    .addOption(jsonOption())
    .action(async (id: string, options: Options & { reason: string }) => {
      const { reason } = options
      const action = { percentage: 100, action: { type: 'discard' } }
      await act('void', id, { options, body: { action, reason } })
    })
}

interface Acting {
  readonly options: Options
  readonly body?: object
}

async function act(
  action: 'approve' | 'retry' | 'void',
  idOrNumber: string,
  { options, body }: Acting,
): Promise<void> {
  const api = targetApi(options)
  const id = await invoiceIdOf(api, idOrNumber)
  const path = `/api/v1/billing/invoices/${encodeURIComponent(id)}/${action}`
  const invoice = await api.post<ActedInvoice>(path, body)
  printData(invoice, options, () => describe(invoice))
}

function describe(invoice: ActedInvoice): string {
  const issues = invoice.validationIssues ?? []
  return textFields([
    ['id', invoice.id],
    ['number', invoice.number],
    ['total', `${invoice.totals.total} ${invoice.currency}`],
    ['state', invoice.statusDetails.extendedStatus],
    ...issues.map(({ code, message }): [string, string] => ['reason', `${message} (${code})`]),
    ['next look', invoice.nextActionAt],
    ['pay at', invoice.paymentUrl],
  ])
}
