import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MASTER_KEY, startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { waitFor } from '../support/scenario.ts'
import { sendAlso, stripePost } from '../support/stripe-client.ts'
import { testTemporalAddress } from '../support/temporal.ts'

interface Report {
  readonly repaired: readonly string[]
  readonly checks: readonly {
    readonly name: string
    readonly ok: boolean
    readonly detail: string
    readonly next?: string
    readonly degraded?: readonly string[]
  }[]
}

const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))
let installation: Installation
let temporalAddress = ''
beforeAll(async () => {
  ;[installation, temporalAddress] = await Promise.all([startInstallation(), testTemporalAddress()])
})
afterAll(async () => {
  await installation.close()
})

/** What the doctor finds of Stripe. */
async function doctor(...args: readonly string[]): Promise<{ report: Report; text: string }> {
  const env = {
    ...process.env,
    NO_COLOR: '1',
    DATABASE_URL: installation.database.url,
    TEMPORAL_ADDRESS: temporalAddress,
    PERENNIAL_MASTER_KEY: MASTER_KEY,
    STRIPE_API_BASE: installation.sandboxUrl,
    PUBLIC_URL: installation.url,
    PERENNIAL_URL: '',
  }
  const all = [
    'doctor',
    '--url',
    installation.url,
    '--data-dir',
    `${tmpdir()}/perennial-no-such-folder`,
    ...args,
  ]
  const text = await new Promise<string>((resolve) => {
    execFile(process.execPath, [program, ...all], { env }, (_error, stdout) => resolve(stdout))
  })
  return {
    text,
    report: args.includes('--json') ? (JSON.parse(text) as Report) : { repaired: [], checks: [] },
  }
}

const check = ({ checks }: Report, name: string) => checks.find((each) => each.name === name)

async function sandbox(method: string, path: string, body?: object): Promise<void> {
  const response = await fetch(`${installation.sandboxUrl}${path}`, {
    method,
    headers: { authorization: 'Bearer sk_test_sandbox' },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`)
}

/** Two events whose handler always fails: of the one that has for three days no more is tried. */
async function giveUpOne(appId: string) {
  const { db } = installation.database
  const [oneDay, now] = [24 * 60 * 60 * 1000, Date.now()]
  const event = (eventId: string, days: number) => ({
    eventId,
    appId,
    type: 'credit_note.created',
    objectId: 'cn_none',
    sourceId: 'cn_none',
    createdAt: new Date(now - days * oneDay),
    receivedAt: new Date(now - days * oneDay),
    attempts: 80,
  })
  await db
    .insertInto('stripeEvents')
    .values([event('evt_old', 4), event('evt_young', 2)])
    .execute()
  const tried = await waitFor(
    async () => await db.selectFrom('stripeEvents').selectAll().where('objectId', '=', 'cn_none').execute(),
    (rows) => rows.every(({ attempts }) => attempts > 80),
  )
  const [old, young] = tried.toSorted((a, b) => a.eventId.localeCompare(b.eventId))
  expect(old).toMatchObject({ outcome: `given_up: ${old?.lastError}`, processedAt: expect.any(Date) })
  expect(young).toMatchObject({ outcome: null, processedAt: null, lastError: old?.lastError })
  const waitsMs = (young?.nextAttemptAt.getTime() ?? 0) - now
  expect(waitsMs).toBeGreaterThan(oneDay / 24 - 60_000)
  return await doctor('--json')
}

test('doctor says what a key lacks, finds an endpoint that is gone, and repairs it', async () => {
  const key = 'rk_test_doctor'
  const granted = [
    'customer:write',
    'invoice:write',
    'webhook:write',
    'event:read',
    'account:read',
    'credit_note:read',
  ]
  await sandbox('POST', '/_sandbox/keys', { key, permissions: granted })
  const { app } = await installation.call<{ app: { id: string; webhook: { endpointId: string } } }>(
    'POST',
    '/api/v1/marketplace/listings/stripe/install/apikey',
    { apiKey: key },
  )
  const { report: healthy } = await doctor('--json')
  expect(check(healthy, 'Stripe app')).toMatchObject({ ok: true })
  expect(check(healthy, 'Stripe app')?.detail).toMatch(/^rk_test_….* of acct_.*, test, restricted$/)
  expect(check(healthy, 'Stripe permissions')).toMatchObject({ ok: true })
  expect(check(healthy, 'Stripe permissions')?.degraded).toContainEqual(
    expect.stringMatching(/^rak_checkout_session_write: /),
  )
  expect(check(healthy, 'Stripe webhook')).toMatchObject({
    ok: true,
    detail: `sends to ${installation.url}/api/v1/apps/${app.id}/stripe/webhook, 2026-10-28.endive`,
  })

  await sendAlso(installation.sandboxUrl, app.webhook.endpointId, 'invoice.updated')
  const { report: wide } = await doctor('--json')
  expect(check(wide, 'Stripe webhook')?.degraded).toEqual([expect.stringContaining('invoice.updated')])

  await stripePost(installation.sandboxUrl, `webhook_endpoints/${app.webhook.endpointId}`, {
    'enabled_events[0]': '*',
  })
  const { report: widest } = await doctor('--json')
  expect(check(widest, 'Stripe webhook')).toMatchObject({
    ok: true,
    degraded: [
      'an up-to-date list: it sends every type of event, most of them for nothing; --repair ends that',
    ],
  })

  await sandbox('DELETE', `/v1/webhook_endpoints/${app.webhook.endpointId}`)
  const { text } = await doctor()
  expect(text).toContain('Stripe has no such endpoint any more')
  expect(text).toContain('perennial doctor --repair')
  expect(text).toContain('without rak_checkout_session_write')

  const { report: repaired } = await doctor('--json', '--repair')
  expect(repaired.repaired).toEqual([app.id])
  expect(check(repaired, 'Stripe webhook')).toMatchObject({ ok: true })

  const { report: given } = await giveUpOne(app.id)
  expect(check(given, 'Stripe events')).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^1 given up in 30 days/),
    degraded: [expect.stringMatching(/credit_note.created evt_old about cn_none: .*cn_none/)],
  })

  await sandbox('POST', '/_sandbox/keys', { key, revoked: true })
  const { report: refused } = await doctor('--json')
  expect(check(refused, 'Stripe app')).toMatchObject({
    ok: false,
    detail: expect.stringContaining('expired'),
    next: expect.stringContaining('api-key'),
  })
})
