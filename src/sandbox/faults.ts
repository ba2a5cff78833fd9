import { newId } from './ids.ts'

/** What a fault does to a request it takes. */
export const faultKinds = [
  'latency',
  'latency_after',
  'hold',
  'hold_after',
  'rate_limit',
  'lock_timeout',
  'conflict',
  'error_before',
  'error_after',
  'unavailable',
  'reset_before',
  'reset_after',
  'truncate_after',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface FaultRule {
  readonly kind: FaultKind
  /** Method, or any. */
  readonly method?: string
  /** A regular expression on the path, or any path under /v1. */
  readonly path?: string
  /** The first matching request that is hit, counted from 1. */
  readonly nth?: number
  /** How many matching requests are hit from there on; 0 is all. */
  readonly times?: number
  readonly latencyMs?: number
  /** With `unavailable`: the hosted pages are down as well. */
  readonly pages?: boolean
}

export interface Fault extends FaultRule {
  readonly id: string
  readonly seen: number
  readonly hits: number
}

/** The faults in force. */
export interface Faults {
  readonly add: (rule: FaultRule) => Fault
  readonly list: () => readonly Fault[]
  readonly clear: (id?: string) => void
  /** When the fault is cleared. */
  readonly cleared: (id: string) => Promise<void>
  /** Whether an outage takes the hosted pages along; looking does not count as a hit. */
  readonly takesPages: () => boolean
  /** The first fault that hits this request; every matching one counts it. */
  readonly take: (method: string, path: string) => Fault | undefined
}

function matches(fault: Fault, method: string, path: string): boolean {
  return (
    (fault.method === undefined || fault.method === method) &&
    (fault.path === undefined || new RegExp(fault.path).test(path))
  )
}

function hits(fault: Fault): boolean {
  const { nth = 1, times = 1, seen } = fault
  return seen >= nth && (times === 0 || seen < nth + times)
}

export function createFaults(): Faults {
  let faults: readonly Fault[] = []
  let held: readonly { readonly id: string; readonly letGo: () => void }[] = []
  return {
    add: (rule) => {
      const fault = { ...rule, id: newId('fault'), seen: 0, hits: 0 }
      faults = [...faults, fault]
      return fault
    },
    list: () => faults,
    clear: (id) => {
      faults = id === undefined ? [] : faults.filter((fault) => fault.id !== id)
      for (const one of held) if (id === undefined || one.id === id) one.letGo()
      held = id === undefined ? [] : held.filter((one) => one.id !== id)
    },
    cleared: async (id) => await new Promise<void>((letGo) => void (held = [...held, { id, letGo }])),
    takesPages: () => faults.some((fault) => fault.kind === 'unavailable' && fault.pages === true),
    take: (method, path) => {
      faults = faults.map((fault) =>
        matches(fault, method, path) ? { ...fault, seen: fault.seen + 1 } : fault,
      )
      const hit = faults.find((fault) => matches(fault, method, path) && hits(fault))
      if (hit !== undefined)
        faults = faults.map((fault) => (fault === hit ? { ...fault, hits: fault.hits + 1 } : fault))
      return hit
    },
  }
}
