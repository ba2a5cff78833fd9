import { Command } from 'commander'
import { jsonOption, withTarget } from '../options.ts'
import { printData, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'

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
  const customers = new Command('customers').description('What a customer may use')
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
