import { readFile } from 'node:fs/promises'
import type { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { apiObserver } from '../../src/metrics/api.ts'
import { processRegistry } from '../../src/metrics/registry.ts'
import { stripeObserver } from '../../src/metrics/stripe.ts'
import { workerMetrics } from '../../src/metrics/worker.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly action: string }
}

interface AlertTests {
  readonly tests: readonly {
    readonly alert_rule_test: readonly {
      readonly alertname: string
      readonly exp_alerts?: readonly {
        readonly exp_labels: Rule['labels']
        readonly exp_annotations: Rule['annotations']
      }[]
    }[]
  }[]
}

const root = new URL('../../', import.meta.url)
const page = await readFile(new URL('docs/operations.md', root), 'utf8')
const file = parse(await readFile(new URL('docs/alerts.yml', root), 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[]
}
const rules = file.groups.flatMap((group) => group.rules)
/** Rows of the table of metrics: name, and which process shows it. */
const documented = new Map(
  [...page.matchAll(/^\| `((?:perennial|temporal)_[a-z_]+)` \| (\w+) \|/gm)].map(([, name, of]) => [
    name,
    of,
  ]),
)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => await database.drop())

async function ours(registry: Registry): Promise<readonly string[]> {
  const metrics = await registry.getMetricsAsJSON()
  return metrics.map(({ name }) => name).filter((name) => name.startsWith('perennial_'))
}

test('every metric of API and worker has a row in docs/operations.md, and no other has one', async () => {
  const api = processRegistry(database.db)
  apiObserver(api)
  stripeObserver(api)
  const ofApi = await ours(api)
  const ofWorker = await ours(workerMetrics(database.db, database.db).registry)
  const rows = (...processes: readonly string[]): readonly string[] =>
    [...documented]
      .filter(([name, of]) => name?.startsWith('perennial_') && processes.includes(of ?? ''))
      .map(([name]) => name ?? '')
  expect([...ofApi].sort()).toEqual([...rows('API', 'both')].sort())
  expect([...ofWorker].sort()).toEqual([...rows('worker', 'both', 'all')].sort())
})

test('every metric that an alert asks for exists', () => {
  const names = rules.flatMap(({ expr }) => [...expr.matchAll(/\b(?:perennial|temporal)_[a-z_]+/g)])
  expect(names.length).toBeGreaterThan(rules.length / 2)
  const unknown = names
    .map(([name]) => name.replace(/_(bucket|count|sum)$/, ''))
    .filter((name) => !documented.has(name))
  expect(unknown).toEqual([])
})

test('counters that an alert asks for the growth of are there from the start', async () => {
  const api = processRegistry(database.db)
  apiObserver(api)
  const text = [await api.metrics(), await workerMetrics(database.db, database.db).registry.metrics()].join(
    '\n',
  )
  const asked = rules.flatMap(({ expr }) => [
    ...expr.matchAll(/(?:rate|increase)\((perennial_\w+_total)\{(\w+="\w+")/g),
  ])
  expect(asked.length).toBeGreaterThan(1)
  for (const [, name = '', label = ''] of asked)
    expect(
      text.split('\n').some((line) => line.startsWith(`${name}{`) && line.includes(label)),
      label,
    ).toBe(true)
})

test('every alert says how urgent it is and what to do, and the page says the same', () => {
  expect(rules.length).toBeGreaterThan(0)
  for (const { alert, labels, annotations } of rules) {
    expect(['page', 'ticket'], alert).toContain(labels.severity)
    expect(annotations.summary, alert).not.toBe('')
    expect(page).toContain(`| \`${alert}\` | ${annotations.action} |`)
  }
  expect([...page.matchAll(/^\| `Perennial\w+` \|/gm)]).toHaveLength(rules.length)
})

test('what promtool is told to expect of an alert is what it says', async () => {
  const { tests } = parse(await readFile(new URL('docs/alerts.test.yml', root), 'utf8')) as AlertTests
  const cases = tests.flatMap((one) => one.alert_rule_test)
  expect(cases.length).toBeGreaterThan(0)
  for (const { alertname, exp_alerts: expected = [] } of cases) {
    const rule = rules.find(({ alert }) => alert === alertname)
    expect(rule, alertname).toBeDefined()
    for (const { exp_labels: labels, exp_annotations: annotations } of expected) {
      expect(labels.severity, alertname).toBe(rule?.labels.severity)
      expect(annotations.action, alertname).toBe(rule?.annotations.action)
    }
  }
})
