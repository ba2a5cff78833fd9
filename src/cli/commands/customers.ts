import { Command } from 'commander'
import { jsonOption, withTarget } from '../options.ts'
import { printData, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'

interface Customer {
  readonly id: string
  readonly key?: string
  readonly name: string
  readonly currency?: string
  readonly usageAttribution?: { readonly subjectKeys: readonly string[] }
}

interface ListOptions extends TargetOptions, OutputOptions {
  readonly name?: string
  readonly subject?: string
  readonly plan?: string
  readonly page: string
  readonly pageSize: string
}

interface Access {
  readonly entitlements: Readonly<Record<string, { readonly hasAccess: boolean; readonly config?: string }>>
  readonly subscriptions: readonly {
    readonly id: string
    readonly planKey?: string
    readonly access: string
    readonly reason: string
    readonly since: string
  }[]
  readonly requests: readonly {
    readonly id: string
    readonly featureKey?: string
    readonly subscriptionId?: string
    readonly requestedAt: string
  }[]
}

export function customersCommand(): Command {
  const customers = new Command('customers').description('List customers; show what one may use')
  withTarget(customers.command('list'))
    .description('List customers by name')
    .option('--name <text>', 'whose name has this part')
    .option('--subject <text>', 'who have a subject with this part')
    .option('--plan <key>', 'who have subscribed to this plan')
    .option('--page <n>', 'page', '1')
    .option('--page-size <n>', 'customers a page', '50')
    .addOption(jsonOption())
    .action(list)
  withTarget(customers.command('access <idOrKey>'))
    .description('Show what a customer may use now, and why')
    .addOption(jsonOption())
    .action(async (idOrKey: string, options: TargetOptions & OutputOptions) => {
      const path = `/api/v1/customers/${encodeURIComponent(idOrKey)}/access`
      const access = await targetApi(options).get<Access>(path)
      printData(access, options, () => describe(access))
    })
  return customers
}

async function list({ name, subject, plan, page, pageSize, ...options }: ListOptions): Promise<void> {
  const filters = { name, subject, planKey: plan }
  const query = new URLSearchParams({ page, pageSize, orderBy: 'name', order: 'ASC' })
  for (const [field, text] of Object.entries(filters)) if (text !== undefined) query.set(field, text)
  const found = await targetApi(options).get<{ items: readonly Customer[] }>(
    `/api/v1/customers?${query.toString()}`,
  )
  const rows = found.items.map((one) => [
    one.id,
    one.key ?? '',
    one.name,
    one.currency ?? '',
    (one.usageAttribution?.subjectKeys ?? []).join(' '),
  ])
  printData(found, options, () => textTable(['id', 'key', 'name', 'currency', 'subjects'], rows))
}

function describe({ subscriptions, entitlements, requests }: Access): string {
  const perSubscription = subscriptions.map((one) => [
    one.id,
    one.planKey ?? '',
    one.access,
    one.since,
    one.reason,
  ])
  const perFeature = Object.entries(entitlements).map(([key, { hasAccess, config }]) => [
    key,
    hasAccess ? 'yes' : 'no',
    config ?? '',
  ])
  const pending = requests.map((one) => [
    one.id,
    one.featureKey ?? 'any',
    one.subscriptionId ?? 'any',
    one.requestedAt,
  ])
  return [
    textTable(['subscription', 'plan', 'access', 'since', 'reason'], perSubscription),
    ...(perFeature.length === 0 ? [] : [textTable(['feature', 'access', 'config'], perFeature)]),
    ...(pending.length === 0
      ? []
      : [textTable(['pending request', 'feature', 'subscription', 'since'], pending)]),
  ].join('\n\n')
}
