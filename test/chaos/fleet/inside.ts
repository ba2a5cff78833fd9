import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { Worker } from '@temporalio/worker'
import type { Told, Order } from './orders.ts'

// What the harness starts in place of server.ts or worker.ts, which it then runs unchanged: it knows what is in flight, shifts
// the clock, and kills the process at a moment when something is in flight.

/** Work under way by name: activities, workflow tasks, requests. */
const underWay = new Map<string, number>()
/** It waits for others most of the time: that it runs does not mean that anything happens. */
const NOT_COUNTED = 'stepTestClock'

function began(name: string): () => void {
  underWay.set(name, (underWay.get(name) ?? 0) + 1)
  let isOver = false
  return () => {
    if (!isOver) underWay.set(name, (underWay.get(name) ?? 1) - 1)
    isOver = true
  }
}

const workers: Worker[] = []

function inFlight(): Readonly<Record<string, number>> {
  const tasks = workers.reduce((sum, worker) => sum + worker.getStatus().numInFlightWorkflowActivations, 0)
  const all = [...underWay, ['workflow task', tasks] as const]
  return Object.fromEntries(all.filter(([, count]) => count > 0))
}

type Activity = (...args: readonly unknown[]) => Promise<unknown>

function counted(name: string, activity: Activity): Activity {
  if (name === NOT_COUNTED) return activity
  return async (...args) => {
    const over = began(name)
    try {
      return await activity(...args)
    } finally {
      over()
    }
  }
}

const createWorker = Worker.create.bind(Worker)
Worker.create = async (options) => {
  const activities = Object.entries((options.activities ?? {}) as Readonly<Record<string, Activity>>)
  const worker = await createWorker({
    ...options,
    activities: Object.fromEntries(activities.map(([name, activity]) => [name, counted(name, activity)])),
  })
  workers.push(worker)
  tell({ told: 'ready' })
  return worker
}

subscribe('http.server.request.start', (message) => {
  ;(message as { readonly response: ServerResponse }).response.once('close', began('request'))
})

const RealDate = Date
let shiftMs = Number(process.env['CHAOS_CLOCK_SHIFT'] ?? '0')
const realNow = Date.now.bind(Date)
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: readonly unknown[], self) =>
    Reflect.construct(target, args.length === 0 ? [realNow() + shiftMs] : args, self) as Date,
  apply: () => new RealDate(realNow() + shiftMs).toString(),
  get: (target, key, self): unknown =>
    key === 'now' ? () => realNow() + shiftMs : Reflect.get(target, key, self),
})

function tell(told: Told): void {
  process.send?.(told)
}

/** Waits, then for a moment when something is in flight; false when there is none until the patience ends. */
function whenBusy(order: { readonly afterMs: number; readonly patienceMs: number }): Promise<boolean> {
  const until = performance.now() + order.afterMs + order.patienceMs
  return new Promise((resolve) => {
    const look = (): void => {
      const isBusy = Object.keys(inFlight()).length > 0
      if (isBusy || performance.now() > until) resolve(isBusy)
      else setTimeout(look, 1)
    }
    setTimeout(look, order.afterMs)
  })
}

async function obey(order: Order): Promise<void> {
  if (order.order === 'shift') {
    shiftMs = order.ms
    return tell({ told: 'shifted', id: order.id, inFlight: inFlight() })
  }
  const isBusy = await whenBusy(order)
  if (order.order === 'kill' && isBusy) {
    // Not sent: a process that kills itself may take along what it has just sent.
    appendFileSync(order.file, `${JSON.stringify({ id: order.id, inFlight: inFlight() })}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
  tell({ told: isBusy ? 'busy' : 'idle', id: order.id, inFlight: inFlight() })
}

process.on('message', (order: Order) => void obey(order))
// A harness that is gone leaves nothing behind.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

await import(process.env['CHAOS_ENTRY'] ?? '')
// The API listens now; a worker has told before, and has ended.
tell({ told: 'ready' })
