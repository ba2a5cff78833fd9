import { Command } from 'commander'
import type { Api } from '../api-client.ts'
import { invoiceIdOf } from '../invoice-id.ts'
import { jsonOption, withTarget } from '../options.ts'
import { printData, textFields, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'
import { addInvoiceActions } from './invoice-actions.ts'

interface DetailedLine {
  readonly name: string
  readonly quantity: string
  readonly perUnitAmount: string
  readonly totals: { readonly total: string }
}

interface Line {
  readonly name: string
  readonly description?: string
  readonly quantity?: string
  readonly period: { readonly from: string; readonly to: string }
  readonly totals: { readonly total: string }
  readonly children?: readonly DetailedLine[]
}

interface Adjustment {
  readonly id: string
  readonly kind: string
  readonly status: string
  readonly amount: string
  readonly currency: string
}

interface Invoice {
  readonly id: string
  readonly number: string
  readonly currency: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus?: string }
  readonly customer: { readonly name?: string; readonly key?: string }
  readonly period?: { readonly from: string; readonly to: string }
  readonly totals: { readonly total: string; readonly taxesTotal?: string }
  readonly dueAt?: string
  readonly amountRemaining?: string
  readonly nextActionAt?: string
  readonly validationIssues?: readonly { readonly code: string; readonly message: string }[]
  readonly adjustments?: readonly Adjustment[]
  readonly lines?: readonly Line[]
  readonly externalIds?: { readonly invoicing?: string }
  readonly stripeInvoiceNumbers?: readonly string[]
  readonly hostedInvoiceUrl?: string
  readonly temporalWorkflowId?: string
}

interface ListOptions extends TargetOptions, OutputOptions {
  readonly customer?: readonly string[]
  readonly status?: readonly string[]
  readonly page: string
  readonly pageSize: string
}

export function invoicesCommand(): Command {
  const invoices = new Command('invoices').description('List and show invoices; approve, retry or void one')
  withTarget(invoices.command('list'))
    .description('List invoices, newest first')
    .option('--customer <id or key...>', 'of these customers')
    .option('--status <status...>', 'in these states: draft, issued, overdue, paid, …')
    .option('--page <n>', 'page', '1')
    .option('--page-size <n>', 'invoices a page', '50')
    .addOption(jsonOption())
    .action(list)
  withTarget(invoices.command('get <idOrNumber>'))
    .description('Show an invoice with its lines and the arithmetic behind them')
    .addOption(jsonOption())
    .action(async (idOrNumber: string, options: TargetOptions & OutputOptions) => {
      const api = targetApi(options)
      const id = await invoiceIdOf(api, idOrNumber)
      const invoice = await api.get<Invoice>(
        `/api/v1/billing/invoices/${encodeURIComponent(id)}?expand=lines`,
      )
      printData(invoice, options, () => describe(invoice))
    })
  addInvoiceActions(invoices)
  return invoices
}

async function list(options: ListOptions): Promise<void> {
  const query = new URLSearchParams({
    page: options.page,
    pageSize: options.pageSize,
    orderBy: 'createdAt',
    order: 'DESC',
  })
  const api = targetApi(options)
  // The filter of the contract knows ids only, and finds nothing for anything else.
  for (const idOrKey of options.customer ?? []) query.append('customers', await customerId(api, idOrKey))
  for (const status of options.status ?? []) query.append('statuses', status)
  const page = await api.get<{ items: readonly Invoice[] }>(`/api/v1/billing/invoices?${query.toString()}`)
  const rows = page.items.map((one) => [
    one.id,
    one.number,
    nameOf(one),
    periodOf(one.period),
    amountOf(one),
    one.status,
  ])
  printData(page, options, () => textTable(['id', 'number', 'customer', 'period', 'total', 'status'], rows))
}

async function customerId(api: Api, idOrKey: string): Promise<string> {
  const path = `/api/v1/customers/${encodeURIComponent(idOrKey)}`
  return (await api.get<{ readonly id: string }>(path)).id
}

function describe(invoice: Invoice): string {
  const head = textFields([
    ['number', invoice.number],
    ['id', invoice.id],
    ['customer', nameOf(invoice)],
    ['period', periodOf(invoice.period)],
    ['total', amountOf(invoice)],
    ['tax', taxOf(invoice)],
    ['remaining', invoice.amountRemaining],
    ['status', invoice.status],
    ['state', invoice.statusDetails.extendedStatus],
    ...(invoice.validationIssues ?? []).map(({ code, message }): Field => ['reason', `${message} (${code})`]),
    ['next look', invoice.nextActionAt],
    ['due', invoice.dueAt],
    ...(invoice.adjustments ?? []).map((one): Field => [one.kind, adjustmentOf(one)]),
    ['at Stripe', invoice.externalIds?.invoicing],
    ['billed by', billedBy(invoice)],
    ['page', invoice.hostedInvoiceUrl],
    ['workflow', invoice.temporalWorkflowId],
  ])
  const rows = (invoice.lines ?? []).flatMap((line) => [
    [line.name, periodOf(line.period), line.quantity ?? '', '', line.totals.total],
    ...(line.children ?? []).map((part) => [
      `  ${part.name}`,
      '',
      part.quantity,
      part.perUnitAmount,
      part.totals.total,
    ]),
  ])
  return `${head}\n\n${textTable(['line', 'service', 'quantity', 'per unit', 'total'], rows)}`
}

type Field = readonly [string, string | undefined]

/** Stripe, on invoices of its own: the number is theirs. */
function billedBy({ stripeInvoiceNumbers, statusDetails }: Invoice): string | undefined {
  if (stripeInvoiceNumbers !== undefined) return `Stripe, on ${stripeInvoiceNumbers.join(', ')}`
  return statusDetails.extendedStatus === 'issued.billed_by_stripe'
    ? 'Stripe, on an invoice of its own'
    : undefined
}

function taxOf({ totals }: Invoice): string | undefined {
  return /[1-9]/.test(totals.taxesTotal ?? '') ? totals.taxesTotal : undefined
}

function adjustmentOf({ id, amount, currency, status }: Adjustment): string {
  return `${amount} ${currency} ${status} (${id})`
}

function nameOf(invoice: Invoice): string {
  return invoice.customer.name ?? invoice.customer.key ?? ''
}

function periodOf(period: { readonly from: string; readonly to: string } | undefined): string {
  return period === undefined ? '' : `${period.from.slice(0, 10)}..${period.to.slice(0, 10)}`
}

function amountOf(invoice: Invoice): string {
  return `${invoice.totals.total} ${invoice.currency}`
}
