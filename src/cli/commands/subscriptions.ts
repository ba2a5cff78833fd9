import { Command } from 'commander'
import { jsonOption, withTarget } from '../options.ts'
import { printData, textFields, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'

interface Subscription {
  readonly id: string
  readonly name: string
  readonly customerId: string
  readonly status: string
  readonly lifecycle?: string
  readonly lifecycleReason?: string
  readonly plan?: { readonly key: string; readonly version?: number }
  readonly activeFrom: string
  readonly activeTo?: string
  readonly billingAnchor: string
  readonly billingCadence: string
  readonly nextBillingAt?: string
  readonly waitingFor?: string
  readonly temporalWorkflowId?: string
}

type Options = TargetOptions & OutputOptions

export function subscriptionsCommand(): Command {
  const subscriptions = new Command('subscriptions').description(
    'List and show subscriptions and their invoices; bill one now; cancel one',
  )
  withTarget(subscriptions.command('list'))
    .description('List the subscriptions of a customer')
    .requiredOption('--customer <id or key>', 'whose (required)')
    .addOption(jsonOption())
    .action(async (options: Options & { customer: string }) => {
      const path = `/api/v1/customers/${encodeURIComponent(options.customer)}/subscriptions`
      const page = await targetApi(options).get<{ items: readonly Subscription[] }>(path)
      const rows = page.items.map((one) => [
        one.id,
        one.plan?.key ?? one.name,
        one.status,
        one.activeFrom,
        one.nextBillingAt ?? '',
      ])
      printData(page, options, () => textTable(['id', 'plan', 'status', 'from', 'next billing'], rows))
    })
  withTarget(subscriptions.command('get <id>'))
    .description('Show a subscription and what it waits for')
    .addOption(jsonOption())
    .action(async (id: string, options: Options) => {
      const found = await targetApi(options).get<Subscription>(
        `/api/v1/subscriptions/${encodeURIComponent(id)}`,
      )
      printData(found, options, () => describe(found))
    })
  withTarget(subscriptions.command('invoice-now <id>'))
    .description('Bill the open period as it is now')
    .option('--approve', 'send it to Stripe where the profile waits for approval')
    .addOption(jsonOption())
    .action(async (id: string, options: Options & { approve?: boolean }) => {
      const invoice = await targetApi(options).post<RunningInvoice>(
        `/api/v1/subscriptions/${encodeURIComponent(id)}/invoice-now`,
        { approve: options.approve ?? false },
      )
      printData(invoice, options, () => describeRunning(invoice))
    })
  withTarget(subscriptions.command('cancel <id>'))
    .description('End a subscription; what it used until then is billed')
    .requiredOption('--timing <when>', 'immediate, next_billing_cycle or an instant (required)')
    .addOption(jsonOption())
    .action(async (id: string, options: Options & { timing: string }) => {
      const { timing } = options
      await change('cancel', id, { options, body: { timing } })
    })
  withTarget(subscriptions.command('unschedule-cancelation <id>'))
    .description('Take back a cancelation that has not taken effect')
    .addOption(jsonOption())
    .action(async (id: string, options: Options) => await change('unschedule-cancelation', id, { options }))
  withTarget(subscriptions.command('invoices <id>'))
    .description('List the invoices of a subscription, newest first, with the address to pay at')
    .option('--page <n>', 'page', '1')
    .option('--page-size <n>', 'invoices a page', '50')
    .addOption(jsonOption())
    .action(listInvoices)
  return subscriptions
}

async function change(
  command: 'cancel' | 'unschedule-cancelation',
  id: string,
  { options, body }: { readonly options: Options; readonly body?: object },
): Promise<void> {
  const path = `/api/v1/subscriptions/${encodeURIComponent(id)}/${command}`
  const changed = await targetApi(options).post<Subscription>(path, body)
  printData(changed, options, () => describe(changed))
}

interface ListedInvoice {
  readonly id: string
  readonly number: string
  readonly currency: string
  readonly status: string
  readonly totals: { readonly total: string }
  readonly paymentUrl?: string
}

async function listInvoices(
  id: string,
  options: Options & { page: string; pageSize: string },
): Promise<void> {
  const query = new URLSearchParams({
    page: options.page,
    pageSize: options.pageSize,
    orderBy: 'createdAt',
    order: 'DESC',
  })
  const path = `/api/v1/subscriptions/${encodeURIComponent(id)}/invoices?${query.toString()}`
  const page = await targetApi(options).get<{ items: readonly ListedInvoice[] }>(path)
  const rows = page.items.map((one) => [
    one.number,
    one.id,
    one.status,
    `${one.totals.total} ${one.currency}`,
    one.paymentUrl ?? '',
  ])
  printData(page, options, () => textTable(['number', 'id', 'status', 'total', 'pay at'], rows))
}

interface RunningInvoice {
  readonly id: string
  readonly number: string
  readonly currency: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly totals: { readonly total: string }
  readonly runs?: number
  readonly externalIds?: { readonly invoicing?: string }
  readonly validationIssues?: readonly { readonly message: string }[]
}

function describeRunning(invoice: RunningInvoice): string {
  return textFields([
    ['id', invoice.id],
    ['number', invoice.number],
    ['status', invoice.statusDetails.extendedStatus],
    ['total', `${invoice.totals.total} ${invoice.currency}`],
    ['runs', invoice.runs?.toString()],
    ['at Stripe', invoice.externalIds?.invoicing],
    ['reason', invoice.validationIssues?.[0]?.message],
  ])
}

function describe(subscription: Subscription): string {
  const plan = subscription.plan
  return textFields([
    ['id', subscription.id],
    ['customer', subscription.customerId],
    ['plan', plan === undefined ? undefined : `${plan.key} version ${plan.version ?? '?'}`],
    ['status', subscription.status],
    ['lifecycle', subscription.lifecycle],
    ['reason', subscription.lifecycleReason],
    ['active from', subscription.activeFrom],
    ['active to', subscription.activeTo],
    ['billed every', subscription.billingCadence],
    ['anchor', subscription.billingAnchor],
    ['next billing', subscription.nextBillingAt],
    ['waiting for', subscription.waitingFor],
    ['workflow', subscription.temporalWorkflowId],
  ])
}
