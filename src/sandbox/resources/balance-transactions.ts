import type { Context } from '../context.ts'
import { changeBalance } from '../invoices/balance.ts'
import { refuse } from '../errors.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import { currencyCode, integer, mergeMetadata, metadata, page, required, text } from '../params.ts'
import { strip } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'

const createShape = {
  amount: required(integer()),
  currency: required(currencyCode),
  description: text(350),
  metadata,
}

/** A manual adjustment; negative is credit [stripe docs: customer balance]. */
function create(ctx: Context, values: Values<typeof createShape>, path: readonly string[]): object {
  const customer = requireCustomer(ctx, idOf(path))
  if (customer.currency !== null && customer.currency !== values.currency) {
    throw refuse(
      `The customer's currency is ${customer.currency}; a balance of another currency cannot be kept.`,
      { param: 'currency' },
    )
  }
  if (customer.currency === null) ctx.store.put('customers', { ...customer, currency: values.currency })
  const target = { customer: customer.id, currency: values.currency, invoice: null }
  return strip(
    changeBalance(ctx, target, {
      amount: values.amount,
      type: 'adjustment',
      description: values.description ?? null,
      metadata: mergeMetadata({}, values.metadata),
    }),
  )
}

const base = '/v1/customers/:id/balance_transactions'

export const balanceRoutes = [
  route('POST', base, [createShape, create]),
  route('GET', base, [
    page,
    (ctx, values, path) => {
      const customer = requireRecord(ctx, ['customers', idOf(path)])
      const among = ctx.store.by('balanceTransactions', 'customer', customer.id)
      const url = base.replace(':id', customer.id)
      return listPage(
        ctx,
        {
          table: 'balanceTransactions',
          kind: 'customer balance transaction',
          url,
          filter: () => true,
          among,
        },
        values,
      )
    },
  ]),
  route('GET', `${base}/:transaction`, [
    {},
    (ctx, _v, path) => strip(requireRecord(ctx, ['balanceTransactions', path[1] ?? ''])),
  ]),
]
