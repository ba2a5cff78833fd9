import { afterAll, afterEach, describe } from 'vitest'
import { checkoutTests } from './checkout-walks.ts'
import { invoiceTests } from './invoice-walks.ts'
import { portalTests } from './portal-walks.ts'
import { startWalks } from './walks.ts'

// A person at a real browser walks the pages of the sandbox: one installation and one browser for all of them, since both
// take seconds to start. Never skipped: a browser that does not start is a failure.
const walks = await startWalks()
afterEach(async () => {
  await walks.closePages()
})
afterAll(async () => {
  await walks.close()
})

describe('Checkout', () => checkoutTests(walks))
describe('the page of an invoice', () => invoiceTests(walks))
describe('the portal', () => portalTests(walks))
