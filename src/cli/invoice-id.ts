import type { Api } from './api-client.ts'
import { CliProblem } from './problem.ts'

const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/i

/** The id of an invoice that is named by its id or by the number it was issued under. */
export async function invoiceIdOf(api: Api, idOrNumber: string): Promise<string> {
  if (ID.test(idOrNumber)) return idOrNumber
  const path = `/api/v1/billing/invoices?numbers=${encodeURIComponent(idOrNumber)}`
  const [invoice] = (await api.get<{ readonly items: readonly { readonly id: string }[] }>(path)).items
  if (invoice !== undefined) return invoice.id
  throw new CliProblem({
    what: `There is no invoice ${idOrNumber}`,
    why: 'it is neither an id nor the number of an invoice that was issued',
    next: 'list what there is with perennial invoices list; a draft goes by its id',
  })
}
