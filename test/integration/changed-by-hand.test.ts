import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { billedCustomers } from '../support/billed.ts'
import type { BilledCustomer, ShownInvoice } from '../support/billed.ts'
import { heardOf } from '../support/heard.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import { giveCard, sendAlso, stripeDelete, stripeGet, stripePost } from '../support/stripe-client.ts'

let installation: Installation
let at: ReturnType<typeof billedCustomers>
let count = 0

beforeAll(async () => {
  installation = await startInstallation({ stripeTries: 2 })
  const scenario = await startScenario(installation, {
    dunning: { retries: ['P3D', 'P7D'], end: 'leave_overdue', grace: 'P7D' },
  })
  at = billedCustomers(installation, scenario)
  await addTokenPlan(installation)
})
afterEach(async () => {
  await at.sandbox('DELETE', '/faults')
  await at.sandbox('DELETE', '/webhooks/rules')
})
afterAll(async () => {
  await installation.close()
})

const byEmail = { payment: { collectionMethod: 'send_invoice' }, invoicing: { dueAfter: 'P30D' } }
const post = async (path: string, fields: Readonly<Record<string, string>> = {}) =>
  await stripePost<{ id: string; number?: string }>(installation.sandboxUrl, path, fields)
const remove = async (path: string): Promise<void> => await stripeDelete(installation.sandboxUrl, path)
const advance = async ({ clockId }: BilledCustomer, to: string): Promise<void> => {
  await advanceTo(installation, clockId, to)
}
const drop = async (): Promise<void> => {
  await at.sandbox('POST', '/webhooks/rules', { action: 'drop', type: '.*', times: 0 })
}

/** Money that came in for the customer, by payment. */
async function charged({ stripeCustomerId }: BilledCustomer): Promise<readonly number[]> {
  const { data } = await stripeGet<{ data: { amount: number; status: string }[] }>(
    installation.sandboxUrl,
    `payment_intents?customer=${stripeCustomerId}&limit=100`,
  )
  return data.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount)
}

async function invoicesAtStripe({ stripeCustomerId }: BilledCustomer): Promise<readonly string[]> {
  const { data } = await stripeGet<{ data: { status: string }[] }>(
    installation.sandboxUrl,
    `invoices?customer=${stripeCustomerId}`,
  )
  return data.map(({ status }) => status)
}

/** A customer whose e-mailed invoice waits for them. */
async function withSent(): Promise<readonly [BilledCustomer, ShownInvoice]> {
  const billed = await at.newCustomer({ key: `sent-${(count += 1)}`, card: null, workflow: byEmail })
  await at.subscribe(billed)
  return [billed, await at.untilInvoice(billed, ({ status }) => status === 'issued')]
}

/** A customer whose draft at Stripe is made and cannot be finalized for now: a person is faster. */
async function withDraft(): Promise<readonly [BilledCustomer, ShownInvoice, string]> {
  const billed = await at.newCustomer({ key: `draft-${(count += 1)}` })
  await at.sandbox('POST', '/faults', { kind: 'unavailable', path: '/finalize$', times: 0 })
  await at.subscribe(billed)
  const invoice = await at.untilInvoice(billed, (shown) => {
    const { extendedStatus } = shown.statusDetails
    return extendedStatus === 'issuing.waiting_for_stripe' && shown.externalIds !== undefined
  })
  return [billed, invoice, invoice.externalIds?.invoicing ?? '']
}

/** A customer whose draft at Stripe has a line that somebody added, which was noticed; with how to take it off. */
async function withForeignLine(): Promise<readonly [BilledCustomer, string, () => Promise<void>]> {
  const [billed, , draft] = await withDraft()
  const { id: item } = await post('invoiceitems', {
    customer: billed.stripeCustomerId,
    invoice: draft,
    amount: '500',
    currency: 'usd',
  })
  await at.sandbox('DELETE', '/faults')
  await advance(billed, '2026-01-01T00:01:00Z')
  const failed = await at.untilInvoice(
    billed,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
  )
  expect(failed.validationIssues).toMatchObject([{ code: 'stripe_totals_differ' }])
  expect(Date.parse(failed.nextActionAt ?? '')).toBeLessThanOrEqual(Date.parse('2026-01-01T00:06:00Z'))
  return [billed, draft, async () => await remove(`invoiceitems/${item}`)]
}

describe.each(['with its webhook', 'with the webhook lost'])('%s', (how) => {
  const isLost = how === 'with the webhook lost'

  test.each([
    ['voided', 'void', 'voided', 'Voided'],
    ['marked uncollectible', 'mark_uncollectible', 'uncollectible', 'Written off'],
    ['paid out of band', 'pay', 'paid', 'Paid'],
  ])(
    'an issued invoice that a person %s is that here, and nothing more is asked',
    async (_what, action, status, said) => {
      const [billed, invoice] = await withSent()
      if (isLost) await drop()
      const fields = action === 'pay' ? { paid_out_of_band: 'true' } : {}
      await post(`invoices/${invoice.externalIds?.invoicing}/${action}`, fields)
      if (isLost) await advance(billed, '2026-01-03T00:00:00Z')
      const seen = await at.untilInvoice(billed, (shown) => shown.status === status)
      expect(await at.timeline(seen.id)).toContain(said)
      expect(await charged(billed)).toEqual([])
    },
  )

  test('a draft that a person finalized is adopted with its number, and collected once', async () => {
    const [billed, invoice, draft] = await withDraft()
    if (isLost) await drop()
    const { number } = await post(`invoices/${draft}/finalize`)
    await at.sandbox('DELETE', '/faults')
    if (isLost) await advance(billed, '2026-01-02T00:00:00Z')
    const paid = await at.untilInvoice(billed, ({ status }) => status === 'paid')
    expect(paid).toMatchObject({ id: invoice.id, number })
    expect(await charged(billed)).toEqual([2000])
    expect(await invoicesAtStripe(billed)).toEqual(['paid'])
  })

  test('a draft that a person deleted is shown, and made again only when somebody asks', async () => {
    const [billed, invoice, draft] = await withDraft()
    if (isLost) await drop()
    await remove(`invoices/${draft}`)
    await at.sandbox('DELETE', '/faults')
    if (isLost) await advance(billed, '2026-01-02T00:00:00Z')
    const failed = await at.untilInvoice(
      billed,
      ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
    )
    expect(failed.validationIssues).toMatchObject([{ code: 'stripe_invoice_deleted' }])
    await advance(billed, '2026-01-10T00:00:00Z')
    expect(await invoicesAtStripe(billed)).toEqual([])
    await at.retry(invoice.id)
    await at.untilInvoice(billed, ({ status }) => status === 'paid')
    expect(await charged(billed)).toEqual([2000])
  })

  test('a draft with a line added by hand is shown and not billed, and goes on when the line is gone', async () => {
    const [billed, , correct] = await withForeignLine()
    if (isLost) await drop()
    expect(await charged(billed)).toEqual([])
    await correct()
    await advance(billed, '2026-01-01T00:06:00Z')
    await at.untilInvoice(billed, ({ status }) => status === 'paid')
    expect(await charged(billed)).toEqual([2000])
  })

  test('an invoice that a person voided while it was being issued is void here', async () => {
    const [billed, invoice, draft] = await withDraft()
    if (isLost) await drop()
    await at.sandbox('POST', '/faults', { kind: 'unavailable', path: '/pay$', times: 0 })
    await post(`invoices/${draft}/finalize`)
    await post(`invoices/${draft}/void`)
    await at.sandbox('DELETE', '/faults')
    if (isLost) await advance(billed, '2026-01-02T00:00:00Z')
    const voided = await at.untilInvoice(billed, ({ status }) => status === 'voided')
    expect(voided.id).toBe(invoice.id)
    expect(await charged(billed)).toEqual([])
  })

  test('a Stripe customer that a person deleted: the invoice says so, and goes on with another link', async () => {
    const billed = await at.newCustomer({ key: `gone-${(count += 1)}` })
    await at.subscribe(billed)
    await at.untilInvoice(billed, ({ status }) => status === 'paid')
    await advance(billed, '2026-01-31T00:00:00Z')
    if (isLost) await drop()
    await remove(`customers/${billed.stripeCustomerId}`)
    await advance(billed, '2026-02-01T06:00:00Z')
    const failed = await at.untilInvoice(
      billed,
      ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
    )
    expect(failed.validationIssues).toMatchObject([{ code: 'stripe_customer_deleted' }])
    const another = await post('customers', { name: 'again' })
    await giveCard(installation.sandboxUrl, another.id)
    await installation.call('PUT', `/api/v1/customers/${billed.customerId}/apps`, [
      { type: 'stripe', stripeCustomerId: another.id },
    ])
    const paid = await at.untilInvoice(billed, ({ status }) => status === 'paid')
    expect(paid.id).toBe(failed.id)
    expect(await charged({ ...billed, stripeCustomerId: another.id })).toEqual([2000])
  })
})

/** What its timeline says of its only invoice, which waits. */
async function failuresTold(billed: BilledCustomer): Promise<readonly string[]> {
  const [invoice] = await at.invoices(billed)
  expect(invoice?.statusDetails.extendedStatus).toBe('issuing.failed')
  const told = await at.timeline(invoice?.id ?? '')
  return told.filter((detail) => detail.startsWith('Issuing failed'))
}

test('a draft that nobody corrects is looked at ever more seldom, and its test clock comes to rest', async () => {
  const [billed, draft] = await withForeignLine()
  const path = encodeURIComponent(`/invoices/${draft}$`)
  const looks = async (): Promise<number> =>
    (await at.sandbox<{ requests: unknown[] }>('GET', `/requests?method=GET&path=${path}`)).requests.length
  const soon = await looks()
  await advance(billed, '2026-01-08T00:00:00Z')
  const week = await looks()
  expect(week - soon).toBe(11)
  // One look that does not get through is made up for, and is no reason to look as often as at first.
  await at.sandbox('POST', '/faults', { kind: 'unavailable', path: `/invoices/${draft}$`, times: 1 })
  await advance(billed, '2026-12-01T00:00:00Z')
  expect((await looks()) - week).toBe(14)
  expect(await failuresTold(billed)).toHaveLength(1)
})

test('a draft that differs is looked at more seldom also where a run died before it told so', async () => {
  const [billed] = await withForeignLine()
  const [first] = await at.invoices(billed)
  await installation.database.db
    .deleteFrom('timeline')
    .where('subjectId', '=', first?.id ?? '')
    .where('kind', '=', 'failed')
    .execute()
  await advance(billed, '2026-01-02T00:00:00Z')
  const [later] = await at.invoices(billed)
  expect(Date.parse(later?.nextActionAt ?? '')).toBeGreaterThan(Date.parse('2026-01-02T06:00:00Z'))
  expect(await failuresTold(billed)).toHaveLength(1)
})

test('an endpoint that still sends that an invoice was updated wakes one whose draft was corrected at once', async () => {
  const { webhookEndpointId } = await installation.database.db
    .selectFrom('apps')
    .select('webhookEndpointId')
    .executeTakeFirstOrThrow()
  const takeOff = await sendAlso(installation.sandboxUrl, webhookEndpointId ?? '', 'invoice.updated')
  const [billed, , correct] = await withForeignLine()
  await correct()
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(await charged(billed)).toEqual([2000])
  await takeOff()
})

test('a card that was detached: the invoice asks for another, and goes on when it comes', async () => {
  const billed = await at.newCustomer({ key: 'detached' })
  await at.subscribe(billed)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  const { data } = await stripeGet<{ data: { id: string }[] }>(
    installation.sandboxUrl,
    `payment_methods?customer=${billed.stripeCustomerId}`,
  )
  for (const { id } of data) await post(`payment_methods/${id}/detach`)
  await heardOf(installation, billed.stripeCustomerId)
  await advance(billed, '2026-02-01T06:00:00Z')
  await at.untilInvoice(billed, ({ statusDetails }) =>
    statusDetails.extendedStatus.endsWith('payment_method_needed'),
  )
  await giveCard(installation.sandboxUrl, billed.stripeCustomerId)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(await charged(billed)).toEqual([2000, 2000])
})

test('a card that was named here and detached unheard: the payment is asked for, not failed without end', async () => {
  const billed = await at.newCustomer({ key: 'detached-unheard', card: null })
  const { stripeCustomerId } = billed
  const card = await post('payment_methods/pm_card_visa/attach', { customer: stripeCustomerId })
  const link = { type: 'stripe', stripeCustomerId, stripeDefaultPaymentMethodId: card.id }
  await installation.call('PUT', `/api/v1/customers/${billed.customerId}/apps`, [link])
  await at.subscribe(billed)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  await drop()
  await post(`payment_methods/${card.id}/detach`)
  await advance(billed, '2026-02-01T06:00:00Z')
  await at.untilInvoice(billed, ({ statusDetails }) =>
    statusDetails.extendedStatus.endsWith('payment_method_needed'),
  )
  await at.sandbox('DELETE', '/webhooks/rules')
  const another = await post('payment_methods/pm_card_visa/attach', { customer: stripeCustomerId })
  await installation.call('PUT', `/api/v1/customers/${billed.customerId}/apps`, [
    { ...link, stripeDefaultPaymentMethodId: another.id },
  ])
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(await charged(billed)).toEqual([2000, 2000])
})

test('an invoice that a person sent from Stripe, or that is overdue there, stays one invoice', async () => {
  const [billed, invoice] = await withSent()
  await post(`invoices/${invoice.externalIds?.invoicing}/send`)
  await advance(billed, '2026-02-02T00:00:00Z')
  const overdue = (await at.invoices(billed)).find(({ id }) => id === invoice.id)
  expect(overdue?.status).toBe('overdue')
})

test('refunds, disputes and credit notes are recorded beside a paid invoice', async () => {
  const billed = await at.newCustomer({ key: 'refunded' })
  await at.subscribe(billed)
  const invoice = await at.untilInvoice(billed, ({ status }) => status === 'paid')
  const stripeInvoice = invoice.externalIds?.invoicing ?? ''
  const { data } = await stripeGet<{ data: { id: string }[] }>(
    installation.sandboxUrl,
    `payment_intents?customer=${billed.stripeCustomerId}`,
  )
  await post('refunds', { payment_intent: data[0]?.id ?? '', amount: '500', reason: 'requested_by_customer' })
  await post('credit_notes', {
    invoice: stripeInvoice,
    amount: '300',
    credit_amount: '300',
    reason: 'product_unsatisfactory',
  })
  const { id: dispute } = await at.sandbox<{ id: string }>('POST', '/disputes', { invoice: stripeInvoice })
  await waitFor(
    async () => (await at.untilInvoice(billed, () => true)).adjustments?.length,
    (length) => length === 3,
  )
  await at.sandbox('POST', `/disputes/${dispute}/close`, { outcome: 'lost' })
  const shown = await at.untilInvoice(
    billed,
    ({ adjustments }) => adjustments?.some(({ status }) => status === 'lost') ?? false,
  )
  expect(shown).toMatchObject({ status: 'paid', amountRemaining: '0.00' })
  expect(shown.adjustments).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'refund', status: 'succeeded', amount: '5.00', currency: 'USD' }),
      expect.objectContaining({ kind: 'credit_note', status: 'issued', amount: '3.00' }),
      expect.objectContaining({ kind: 'dispute', status: 'lost', amount: '15.00' }),
    ]),
  )
  expect(
    (await at.timeline(invoice.id)).filter((detail) => /^(Refund|Dispute|Credit note)/.test(detail)),
  ).toHaveLength(4)
})

test('a credit note on an open invoice takes off what remains; a whole one settles it', async () => {
  const [billed, invoice] = await withSent()
  const stripeInvoice = invoice.externalIds?.invoicing ?? ''
  await post('credit_notes', { invoice: stripeInvoice, amount: '500' })
  const reduced = await at.untilInvoice(billed, ({ adjustments }) => adjustments?.length === 1)
  expect(reduced).toMatchObject({ status: 'issued', amountRemaining: '15.00' })
  await post('credit_notes', { invoice: stripeInvoice, amount: '1500' })
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
})

test('an invoice that is voided before its draft at Stripe was noted leaves no draft there', async () => {
  const billed = await at.newCustomer({ key: `draft-${(count += 1)}` })
  await at.sandbox('POST', '/faults', { kind: 'unavailable', path: '/add_lines$', times: 0 })
  await at.subscribe(billed)
  await at.untilInvoice(
    billed,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.waiting_for_stripe',
  )
  const { data } = await stripeGet<{ data: { id: string }[] }>(
    installation.sandboxUrl,
    `invoices?customer=${billed.stripeCustomerId}`,
  )
  await post('invoiceitems', {
    customer: billed.stripeCustomerId,
    invoice: data[0]?.id ?? '',
    amount: '500',
    currency: 'usd',
  })
  await at.sandbox('DELETE', '/faults')
  await advance(billed, '2026-01-01T00:01:00Z')
  const { id } = await at.untilInvoice(
    billed,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
  )
  const action = { percentage: 100, action: { type: 'discard' } }
  await installation.call('POST', `/api/v1/billing/invoices/${id}/void`, { action, reason: 'a mistake' })
  expect(await invoicesAtStripe(billed)).toEqual([])
})
