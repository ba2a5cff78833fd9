import type { ServerResponse } from 'node:http'
import type { Context } from '../context.ts'
import type { Raw } from '../route.ts'
import { checkoutPage } from './checkout-page.ts'
import { invoicePage } from './invoice-page.ts'
import { portalPage } from './portal-page.ts'

/** A request for a page that a customer would see. */
export interface PageRequest {
  readonly ctx: Context
  readonly method: string
  readonly url: URL
  readonly form: Raw
  readonly response: ServerResponse
  readonly changed: () => void
}

const pages: Readonly<Record<string, (request: PageRequest) => void>> = {
  '/c/': checkoutPage,
  '/i/': invoicePage,
  '/p/': portalPage,
}

/** The page of an address, by its first segment. */
export function pageFor(path: string): ((request: PageRequest) => void) | undefined {
  return pages[path.slice(0, path.indexOf('/', 1) + 1)]
}
