import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { stripeGet } from '../support/stripe-client.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

interface ExpectedLine {
  readonly name: string
  readonly quantity: string
  readonly total: string
  readonly details: readonly { name: string; quantity: string; perUnitAmount: string; total: string }[]
}
interface Expected {
  readonly usage: { readonly requests: string; readonly context: string; readonly generated: string }
  readonly invoices: readonly { totalCents: string; total: string; lines: readonly ExpectedLine[] }[]
}

interface Line {
  readonly name: string
  readonly quantity?: string
  readonly totals: { readonly total: string }
  readonly children: readonly {
    readonly name: string
    readonly quantity: string
    readonly perUnitAmount: string
    readonly totals: { readonly total: string }
  }[]
}
interface Invoice {
  readonly status: string
  readonly totals: { readonly total: string }
  readonly lines: readonly Line[]
  readonly externalIds: { readonly invoicing: string }
}

let installation: Installation
let expected: Readonly<Record<'conversation' | 'code', Expected>>
/** What each command block of the page printed, in the order of the page. */
let printed: readonly string[]

beforeAll(async () => {
  installation = await startInstallation()
  expected = JSON.parse(await readFile(`${project}/examples/llm-tokens/expected.json`, 'utf8'))
  printed = await runPage(`${project}/docs/example-llm-tokens.md`)
}, 300_000)
afterAll(async () => {
  await installation.close()
})

const MARK = '=== block'

/** Runs every command of the page in one shell, as a reader would. */
async function runPage(page: string): Promise<readonly string[]> {
  const blocks = [...(await readFile(page, 'utf8')).matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text)
  const script = blocks.map((block) => `echo '${MARK}'\n${block}`).join('')
  const env = {
    ...process.env,
    PERENNIAL_URL: installation.url,
    STRIPE_API_BASE: installation.sandboxUrl,
    STRIPE_API_KEY: 'sk_test_sandbox',
    NO_COLOR: '1',
    npm_config_update_notifier: 'false',
  }
  const { stdout } = await run('sh', ['-euc', script], { cwd: project, env, maxBuffer: 10_000_000 })
  return stdout.split(`${MARK}\n`).slice(1)
}

const subjects = ['conversation', 'code'] as const

async function invoicesOf(key: string): Promise<readonly Invoice[]> {
  const { id } = await installation.call<{ id: string }>('GET', `/api/v1/customers/${key}`)
  const path = `/api/v1/billing/invoices?customers=${id}&order=ASC&expand=lines`
  return (await installation.call<{ items: Invoice[] }>('GET', path)).items
}

/** Of an invoice of ours, what the independent calculation says too. */
const comparable = ({ totals, lines }: Invoice) => ({
  total: totals.total,
  lines: lines.map((line) => ({
    name: line.name,
    quantity: line.quantity,
    total: line.totals.total,
    details: line.children.map(({ name, quantity, perUnitAmount, totals }) => ({
      name,
      quantity,
      perUnitAmount,
      total: totals.total,
    })),
  })),
})

test('the independent script counts and prices the files to the committed constants', async () => {
  const script = `${project}/examples/llm-tokens/expected.mjs`
  expect(await readFile(script, 'utf8')).not.toMatch(/from '(?!node:)|import\(/)
  const { stdout } = await run('node', [script], { maxBuffer: 10_000_000 })
  expect(JSON.parse(stdout)).toEqual(expected)
})

test('every command of the page runs and prints what the page says', async () => {
  expect(printed).toHaveLength(7)
  const [, , loaded, queried, again, billed, calculated] = printed
  const counts = (block = '') =>
    [...block.matchAll(/^(new events|duplicates|refused rows) +(\d+)$/gm)].map(
      ([, name, n]) => `${name} ${n}`,
    )
  expect(counts(loaded)).toEqual([
    'new events 38732',
    'duplicates 0',
    'refused rows 0',
    'new events 17638',
    'duplicates 0',
    'refused rows 0',
  ])
  expect(counts(again)).toEqual([
    'new events 0',
    'duplicates 38732',
    'refused rows 0',
    'new events 0',
    'duplicates 17638',
    'refused rows 0',
  ])
  for (const { usage } of Object.values(expected)) {
    expect(queried).toContain(`"value":${usage.context},`)
    expect(queried).toContain(`"value":${usage.generated},`)
  }
  expect(billed).toContain('139.71 USD')
  expect(billed).toContain('79.87 USD')
  expect(JSON.parse(calculated ?? '')).toEqual(expected)
})

test.each(subjects)(
  'rule 7: the meter counts the tokens of %s as the files do, loaded once or twice',
  async (subject) => {
    const { usage } = expected[subject]
    const path = `/api/v1/meters/llm_tokens/query?subject=${subject}&groupBy=kind`
    const { data } = await installation.call<{ data: { value: number; groupBy: { kind: string } }[] }>(
      'GET',
      path,
    )
    expect(Object.fromEntries(data.map(({ value, groupBy }) => [groupBy.kind, String(value)]))).toEqual({
      context: usage.context,
      generated: usage.generated,
    })
    const events = await installation.database.db
      .selectFrom('events')
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .where('subject', '=', subject)
      .executeTakeFirstOrThrow()
    expect(BigInt(events.count)).toBe(2n * BigInt(usage.requests))
  },
)

test.each(subjects)(
  'rule 17: every line of the invoices of %s is the independent one, and so is Stripe’s total',
  async (subject) => {
    const invoices = await invoicesOf(subject)
    const independent = expected[subject].invoices.map(({ total, lines }) => ({ total, lines }))
    expect(invoices.map(comparable)).toEqual(independent)
    expect(invoices.map(({ status }) => status)).toEqual(['paid', 'paid'])
    const atStripe = await Promise.all(
      invoices.map(
        async ({ externalIds }) =>
          await stripeGet<{ total: number; amount_paid: number; status: string }>(
            installation.sandboxUrl,
            `invoices/${externalIds.invoicing}`,
          ),
      ),
    )
    expect(atStripe.map(({ total, amount_paid, status }) => `${total} ${amount_paid} ${status}`)).toEqual(
      expected[subject].invoices.map(({ totalCents }) => `${totalCents} ${totalCents} paid`),
    )
  },
)
