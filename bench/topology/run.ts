import { writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { addTokenPlan, startScenario } from '../../test/support/scenario.ts'
import { startStack } from '../stack/stack.ts'
import type { Stack } from '../stack/stack.ts'
import { endOnSignal } from '../support/early-end.ts'
import { benchFolder } from '../support/folder.ts'
import { clusterClient } from './client.ts'
import { count, isSettled } from './count.ts'
import { inRealTime, onTestClock, reading } from './load.ts'
import type { LoadOptions, Subscriber } from './load.ts'
import { restartInTurn } from './rolling.ts'
import { programOptions } from '../../test/support/program-options.ts'

const help = `npm run topology -- [options]

Runs the production topology on this machine: PostgreSQL, Temporal's server on it (512 shards), the Stripe sandbox, two API
processes behind nothing, two workers. Subscriptions are billed on test clocks and in real time and usage is posted, while
each process is restarted in turn by SIGTERM; then everything is counted. Fails when a request failed, or an invoice is
missing, doubled or wrong.

  --minutes <n>      how long the load lasts (3); every process is restarted at least once
  --groups <n>       test clocks (3)
  --size <n>         subscriptions on each (8)
  --temporal <kind>  server, dev (the CLI's dev server; it is not restarted) (server)
  --binaries <dir>   Temporal's programs "server" and "sql"; left out: built with Go, once, and kept in the cache
  --keep-temporal    Temporal is not restarted: with one server, commands wait for it
  --json <file>      where the counts go as JSON
  --help             this text`

const values = programOptions({
  minutes: { type: 'string', default: '3' },
  groups: { type: 'string', default: '3' },
  size: { type: 'string', default: '8' },
  temporal: { type: 'string', default: 'server' },
  binaries: { type: 'string' },
  'keep-temporal': { type: 'boolean', default: false },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
})

const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)

if (values.help) console.log(help)
else await main()

async function main(): Promise<void> {
  void endOnSignal()
  const { folder, remove } = await benchFolder('topology')
  const kind = values.temporal === 'dev' ? 'dev' : 'server'
  const stack = await startStack({
    folder,
    apis: 2,
    workers: 2,
    temporal: kind,
    temporalBinaries: values.binaries,
    say,
  })
  let isFine = false
  try {
    const report = await run(stack, kind === 'server' && !values['keep-temporal'])
    console.log(JSON.stringify(report, null, 2))
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
    isFine = report.isFine
  } finally {
    await stack.stop()
    if (isFine) await remove()
    else say(`its logs are in ${folder}`)
  }
  process.exitCode = isFine ? 0 : 1
}

async function run(stack: Stack, withTemporal: boolean) {
  const loadBefore = loadavg()[0] ?? 0
  const urls = stack.apis.map(({ url }) => url)
  const client = clusterClient(urls, say)
  const setup = { call: caller(client), sandboxUrl: stack.sandbox.url }
  const scenario = await startScenario(setup)
  await addTokenPlan(setup)
  const begunMs = Date.now()
  const lastsMs = Number(values.minutes) * 60_000
  let isRolled = false
  const isLate = (): boolean => Date.now() - begunMs > lastsMs
  const isOver = (): boolean => isLate() && isRolled
  const options: LoadOptions = { client, setup, scenario, isOver }
  say('load')
  const load: Promise<readonly Subscriber[]>[] = Array.from(
    { length: Number(values.groups) },
    async (_, index) => await onTestClock(options, `clock-${index + 1}`, Number(values.size)),
  )
  load.push(inRealTime(options, 'real-1'), inRealTime(options, 'real-2'))
  const readers = [reading(options), reading(options)]
  const restarts = await restartInTurn(stack, { withTemporal, isOver: isLate, say })
  isRolled = true
  const subscribers = (await Promise.all(load)).flat()
  await Promise.all(readers)
  const seconds = (Date.now() - begunMs) / 1000
  say('settling')
  const isQuiet = await settles(stack, Math.max(...subscribers.map(({ boundaryMs = 0 }) => boundaryMs)))
  client.close()
  const counted = await count(stack, subscribers)
  const { requests, turnedAway, slowestMs, failures } = client.counts()
  const { missing, doubled, wrongTotals, unpaid, differAtStripe, onlyAtStripe } = counted
  const wrong = missing + doubled + wrongTotals + unpaid + differAtStripe + onlyAtStripe
  const isClean = restarts.every(({ ended }) => ended === 'exit code 0')
  return {
    isFine: failures.length === 0 && wrong === 0 && isQuiet && isClean,
    seconds,
    load: [loadBefore, loadavg()[0] ?? 0],
    requests: { ...requests, failed: failures.length, turnedAway, slowestMs: Math.round(slowestMs) },
    failures: failures.slice(0, 20),
    restarts,
    isQuiet,
    counted,
  }
}

function caller(client: ReturnType<typeof clusterClient>) {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const kind = 'setup'
    const answer = await client.call<T>({ kind, method: method as 'GET' | 'POST' | 'PUT', path, body })
    if (answer === null) throw new Error(`${method} ${path} failed`)
    return answer
  }
}

async function settles(stack: Stack, lastBoundaryMs: number): Promise<boolean> {
  const deadline = Date.now() + 180_000
  while (Date.now() < deadline) {
    if (await isSettled(stack, lastBoundaryMs)) return true
    await delay(500)
  }
  return false
}
