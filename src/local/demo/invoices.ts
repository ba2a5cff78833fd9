import Table from 'cli-table3'
import type { Api } from '../../cli/api-client.ts'

export interface DemoInvoice {
  readonly id: string
  readonly number: string
  readonly customer: string
  readonly period: string
  readonly currency: string
  /** Decimal text, e.g. `23.40`. */
  readonly total: string
  readonly status: string
  readonly stripeInvoiceId: string | null
  /** The page on which the payer sees and pays it. */
  readonly hostedUrl: string | null
  /** The workflow that carries it: its own, or its subscription's. */
  readonly workflowId: string | null
}

/** The parts of the contract's invoice that are shown. */
interface ApiInvoice {
  readonly id: string
  readonly number: string
  readonly currency: string
  readonly status: string
  readonly customer: { readonly name?: string }
  readonly period?: { readonly from: string; readonly to: string }
  readonly totals: { readonly total: string }
  readonly externalIds?: { readonly invoicing?: string }
  readonly temporalWorkflowId?: string
  readonly hostedInvoiceUrl?: string
}

interface Page {
  readonly items: readonly ApiInvoice[]
  readonly totalCount: number
}

const pageSize = 100

/** Every invoice of these customers, by number. The upcoming ones (`gathering`) are left out. */
export async function demoInvoices(
  api: Api,
  customerIds: readonly string[],
): Promise<readonly DemoInvoice[]> {
  const invoices: ApiInvoice[] = []
  for (let page = 1; ; page += 1) {
    const query = new URLSearchParams({
      page: String(page),
      pageSize: String(pageSize),
      orderBy: 'createdAt',
      order: 'ASC',
    })
    for (const id of customerIds) query.append('customers', id)
    const found = await api.get<Page>(`/api/v1/billing/invoices?${query.toString()}`)
    invoices.push(...found.items)
    if (found.items.length < pageSize) break
  }
  const issued = invoices.filter((invoice) => invoice.status !== 'gathering').map(shown)
  return issued.sort((a, b) => a.number.localeCompare(b.number))
}

function shown(invoice: ApiInvoice): DemoInvoice {
  const day = (instant: string): string => instant.slice(0, 10)
  return {
    id: invoice.id,
    number: invoice.number,
    customer: invoice.customer.name ?? '',
    period: invoice.period === undefined ? '' : `${day(invoice.period.from)} – ${day(invoice.period.to)}`,
    currency: invoice.currency,
    total: invoice.totals.total,
    status: invoice.status,
    stripeInvoiceId: invoice.externalIds?.invoicing ?? null,
    hostedUrl: invoice.hostedInvoiceUrl ?? null,
    workflowId: invoice.temporalWorkflowId ?? null,
  }
}

/** The table that the whole project exists for. */
export function invoiceTable(invoices: readonly DemoInvoice[]): string {
  const table = new Table({
    head: ['Number', 'Customer', 'Period', 'Total', 'Status'],
    colAligns: ['left', 'left', 'left', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  })
  for (const one of invoices)
    table.push([one.number, one.customer, one.period, `${one.total} ${one.currency}`, one.status])
  // Two months in one row would puzzle: it is what the invoice's lines cover.
  return `${table.toString()}\nEach invoice bills the usage of the month that ended and the base fee of the one that begins.`
}
