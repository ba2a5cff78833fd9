import { nowForCustomer } from '../../billing/clock.ts'
import type { ClosingPlan } from '../../billing/closing-plan.ts'
import { upcomingInvoice } from '../../billing/upcoming-invoice.ts'
import type { Page, PageRequest } from '../../db/page.ts'
import { listSubscriptions } from '../../db/stores/subscription-reads.ts'
import { askOnSnapshot } from '../../db/transaction.ts'
import { DomainError, isDomainError } from '../../domain/errors.ts'
import type { ApiDeps } from '../deps.ts'
import { presentGatheringInvoice } from '../presenters/gathering-invoice.ts'
import type { Invoice } from '../schemas/invoices.ts'

const LIVING = ['scheduled', 'active', 'canceled', 'parked']

/** What a subscription would be billed next with what is known now. Errors: not_found (also: nothing will be billed any more). */
export async function upcomingOf(deps: ApiDeps, subscriptionId: string): Promise<Invoice> {
  const plan = await planOf(deps, subscriptionId)
  if (plan !== null) return await present(deps, plan, { showLines: true })
  throw new DomainError(
    'not_found',
    `Nothing will be billed for the subscription ${subscriptionId} any more.`,
  )
}

interface GatheringFilter {
  readonly customers?: readonly string[] | undefined
  readonly showLines: boolean
}

/**
 * A page of upcoming invoices: one for each subscription that goes on, oldest first. One that no line could hold is left out:
 * asked for by itself, it names the line.
 */
export async function listGathering(
  deps: ApiDeps,
  filter: GatheringFilter,
  page: PageRequest,
): Promise<Page<Invoice>> {
  const query = {
    ...page,
    customerIds: filter.customers,
    lifecycles: LIVING,
    order: 'ASC',
    orderBy: 'createdAt',
  } as const
  const { rows, totalCount } = await listSubscriptions(deps.db, query)
  const items: Invoice[] = []
  for (const { id } of rows) {
    const plan = await planOf(deps, id).catch(nullIfTooLarge)
    if (plan !== null) items.push(await present(deps, plan, filter))
  }
  return { items, totalCount }
}

function nullIfTooLarge(error: unknown): null {
  if (isDomainError(error) && error.code === 'amount_too_large') return null
  throw error
}

/**
 * Questions one after the other, each exact by itself: a snapshot for all of them, which a closing has (billing rule 8), is dearer.
 * Only where the period was closed between them is all asked again on one.
 */
async function planOf({ db }: ApiDeps, subscriptionId: string): Promise<ClosingPlan | null> {
  const plan = await upcomingInvoice(db, { subscriptionId })
  if (plan?.present.isClosed !== true) return plan
  return await askOnSnapshot(db, async (trx) => await upcomingInvoice(trx, { subscriptionId }))
}

async function present(
  deps: ApiDeps,
  plan: ClosingPlan,
  options: { readonly showLines: boolean },
): Promise<Invoice> {
  const { customer } = plan.settings
  const isOnClock = customer.testClockId !== null
  const nowMs = isOnClock ? await nowForCustomer(deps.db, customer.id, deps.now()) : deps.now().getTime()
  return presentGatheringInvoice(plan, { showLines: options.showLines, nowMs })
}
