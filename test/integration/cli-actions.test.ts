import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'

/** What a person does with an invoice, by the command line. */
let installation: Installation
let subscriptionId: string
beforeAll(async () => {
  installation = await startInstallation()
  const workflow = { invoicing: { autoAdvance: false } }
  const scenario = await startScenario(installation, { frozenTime: '2026-01-01T00:00:00Z', workflow })
  const { planKey } = await addTokenPlan(installation)
  const { id: customerId } = await addCustomer(installation, scenario, {
    key: 'acme',
    card: 'pm_card_chargeCustomerFail',
  })
  const subscription = { customerId, plan: { key: planKey } }
  subscriptionId = (await installation.call<{ id: string }>('POST', '/api/v1/subscriptions', subscription)).id
})
afterAll(() => installation.close())

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}
interface Invoice {
  readonly id: string
  readonly number: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly paymentUrl?: string
}

const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))

async function perennial(...args: readonly string[]): Promise<Run> {
  const target = ['--url', installation.url, '--data-dir', `${tmpdir()}/perennial-no-such-folder`]
  const env = { ...process.env, NO_COLOR: '1', PERENNIAL_API_KEY: '' }
  return await new Promise((resolve) => {
    execFile(process.execPath, [program, ...args, ...target], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

const listed = async (): Promise<readonly Invoice[]> => {
  const path = `/api/v1/subscriptions/${subscriptionId}/invoices`
  return (await installation.call<{ items: readonly Invoice[] }>('GET', path)).items
}

/** The only invoice, once it is where `words` say. */
async function invoiceThatIs(words: string): Promise<Invoice> {
  const [invoice] = await waitFor(listed, ([first]) =>
    (first?.statusDetails.extendedStatus ?? '').includes(words),
  )
  if (invoice === undefined) throw new Error('there is no invoice')
  return invoice
}

test('an invoice is approved, paid for by its address, retried and voided; each refusal says what to do', async () => {
  const { id } = await invoiceThatIs('waiting_approval')
  const early = await perennial('invoices', 'retry', id)
  expect(early).toMatchObject({ code: 1, stdout: '' })
  expect(early.stderr).toContain('409 action_not_available')
  expect(early.stderr).toContain('Next: See availableActions of the invoice')

  const approved = await perennial('invoices', 'approve', id)
  expect(approved).toMatchObject({ code: 0, stderr: '' })
  expect(approved.stdout).toMatch(/state +issu/)
  const { paymentUrl } = await invoiceThatIs('payment_')
  const { stdout } = await perennial('subscriptions', 'invoices', subscriptionId, '--json')
  expect(JSON.parse(stdout)).toMatchObject({ items: [{ id, paymentUrl }] })
  const table = await perennial('subscriptions', 'invoices', subscriptionId)
  expect(table.stdout).toContain(paymentUrl ?? 'an address')
  expect(table.stdout).toMatch(/NUMBER.*STATUS.*TOTAL.*PAY AT/)

  const { number } = await invoiceThatIs('payment_')
  const shown = await perennial('invoices', 'get', number, '--json')
  expect(JSON.parse(shown.stdout)).toMatchObject({ id, number })
  const retried = await perennial('invoices', 'retry', number, '--json')
  expect(JSON.parse(retried.stdout)).toMatchObject({ id })
  const unknown = await perennial('invoices', 'get', 'INV-999999')
  expect(unknown.stderr).toContain('There is no invoice INV-999999')
  expect(unknown.stderr).toContain('Next: list what there is with perennial invoices list')
  const unexplained = await perennial('invoices', 'void', id)
  expect(unexplained.stderr).toContain('--reason')
  const voided = await perennial('invoices', 'void', id, '--reason', 'made by mistake', '--json')
  expect(JSON.parse(voided.stdout)).toMatchObject({ id, status: 'voided' })
})

test('a subscription is canceled at the time that is said, and kept again', async () => {
  const unsaid = await perennial('subscriptions', 'cancel', subscriptionId)
  expect(unsaid.stderr).toContain('--timing')
  const never = await perennial('subscriptions', 'cancel', subscriptionId, '--timing', 'tomorrow')
  expect(never.stderr).toContain(
    'timing must be one of "immediate", "next_billing_cycle", or be an instant like 2025-01-31T05:00:00Z',
  )
  const canceled = await perennial(
    'subscriptions',
    'cancel',
    subscriptionId,
    '--timing',
    'next_billing_cycle',
  )
  expect(canceled).toMatchObject({ code: 0, stderr: '' })
  expect(canceled.stdout).toMatch(/active to +2026-/)
  const kept = await perennial('subscriptions', 'unschedule-cancelation', subscriptionId, '--json')
  expect(JSON.parse(kept.stdout)).not.toHaveProperty('activeTo')
})

test('what a customer may use is shown by id or key, and an unknown one with what to do', async () => {
  const shown = await perennial('customers', 'access', 'acme')
  expect(shown).toMatchObject({ code: 0, stderr: '' })
  expect(shown.stdout).toContain(subscriptionId)
  expect(shown.stdout).toContain('granted')
  const { stdout } = await perennial('customers', 'access', 'acme', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ subscriptions: [{ id: subscriptionId, access: 'granted' }] })
  const unknown = await perennial('customers', 'access', 'nobody')
  expect(unknown.stderr).toContain('404 not_found')
  expect(unknown.stderr).toContain('Next:')
})

test('customers are listed, by a part of their name or of a subject', async () => {
  const all = await perennial('customers', 'list')
  expect(all).toMatchObject({ code: 0, stderr: '' })
  expect(all.stdout).toMatch(/ID.*KEY.*NAME.*CURRENCY.*SUBJECTS/)
  const { stdout } = await perennial('customers', 'list', '--subject', 'cm', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ totalCount: 1, items: [{ key: 'acme' }] })
  const none = await perennial('customers', 'list', '--name', 'nobody', '--json')
  expect(JSON.parse(none.stdout)).toMatchObject({ totalCount: 0, items: [] })
})
