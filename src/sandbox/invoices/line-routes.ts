import type { Context } from '../context.ts'
import { noSuch, refuse } from '../errors.ts'
import { pageOf } from '../lists.ts'
import type { Values } from '../params.ts'
import { hash, list, metadata, mergeMetadata, oneOf, page, required, text } from '../params.ts'
import { present } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { InvoiceItemRecord, InvoiceRecord } from '../records.ts'
import { changeItems } from './edit.ts'
import { addItem, editItem, lineShape } from './items.ts'
import { itemsOf, lineItem, lineItems } from './lines.ts'

const addShape = { lines: required(list(required(hash(lineShape)))), invoice_metadata: metadata }
const changeShape = {
  lines: required(list(required(hash({ id: required(text()), ...lineShape })))),
  invoice_metadata: metadata,
}
const removal = hash({ id: required(text()), behavior: required(oneOf('delete', 'unassign')) })
const removeShape = { lines: required(list(required(removal))), invoice_metadata: metadata }

const invoiceAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['invoices', idOf(path)])

function targetOf(ctx: Context, invoice: InvoiceRecord, path: string) {
  return { customer: requireCustomer(ctx, invoice.customer), invoice, currency: invoice.currency, path }
}

function itemOfLine(
  ctx: Context,
  invoice: InvoiceRecord,
  [line, param]: readonly [string, string?],
): InvoiceItemRecord {
  const item = itemsOf(ctx, invoice).find((candidate) => candidate._line === line)
  if (item === undefined) throw noSuch('invoice line item', line, param)
  return item
}

function withMetadata(
  ctx: Context,
  invoice: InvoiceRecord,
  patch: Values<typeof addShape>['invoice_metadata'],
): InvoiceRecord {
  return ctx.store.put('invoices', { ...invoice, metadata: mergeMetadata(invoice.metadata, patch) })
}

function add(ctx: Context, values: Values<typeof addShape>, path: readonly string[]): object {
  const invoice = invoiceAt(ctx, path)
  const changed = changeItems(ctx, invoice, () => {
    for (const [index, line] of values.lines.entries())
      addItem(ctx, line, targetOf(ctx, invoice, `lines[${index}]`))
  })
  return present(ctx, 'invoices', withMetadata(ctx, changed, values.invoice_metadata))
}

function change(ctx: Context, values: Values<typeof changeShape>, path: readonly string[]): object {
  const invoice = invoiceAt(ctx, path)
  const changed = changeItems(ctx, invoice, () => {
    for (const [index, { id, ...line }] of values.lines.entries()) {
      const item = itemOfLine(ctx, invoice, [id, `lines[${index}][id]`])
      editItem(ctx, item, [line, targetOf(ctx, invoice, `lines[${index}]`)])
    }
  })
  return present(ctx, 'invoices', withMetadata(ctx, changed, values.invoice_metadata))
}

function remove(ctx: Context, values: Values<typeof removeShape>, path: readonly string[]): object {
  const invoice = invoiceAt(ctx, path)
  const changed = changeItems(ctx, invoice, () => {
    for (const [index, { id, behavior }] of values.lines.entries()) {
      const item = itemOfLine(ctx, invoice, [id, `lines[${index}][id]`])
      if (item._subscriptionItem !== undefined)
        throw refuse('Lines of subscription items cannot be removed from an invoice.', {
          param: `lines[${index}][id]`,
        })
      if (behavior === 'delete') ctx.store.remove('invoiceItems', item.id)
      else ctx.store.put('invoiceItems', { ...item, invoice: null })
    }
  })
  return present(ctx, 'invoices', withMetadata(ctx, changed, values.invoice_metadata))
}

function editLine(ctx: Context, values: Values<typeof lineShape>, path: readonly string[]): object {
  const invoice = invoiceAt(ctx, path)
  const item = itemOfLine(ctx, invoice, [path[1] ?? ''])
  const changed = changeItems(ctx, invoice, () => editItem(ctx, item, [values, targetOf(ctx, invoice, '')]))
  return lineItem(ctx, changed, ctx.store.get('invoiceItems', item.id) ?? item)
}

export const lineRoutes = [
  route('GET', '/v1/invoices/:id/lines', [
    page,
    (ctx, values, path) => {
      const invoice = invoiceAt(ctx, path)
      return pageOf(`/v1/invoices/${invoice.id}/lines`, lineItems(ctx, invoice), values)
    },
  ]),
  route('POST', '/v1/invoices/:id/lines/:line', [lineShape, editLine]),
  route('POST', '/v1/invoices/:id/add_lines', [addShape, add]),
  route('POST', '/v1/invoices/:id/update_lines', [changeShape, change]),
  route('POST', '/v1/invoices/:id/remove_lines', [removeShape, remove]),
]
