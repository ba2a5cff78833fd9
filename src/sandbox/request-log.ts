import type { Raw } from './route.ts'

/** One request as the journal has it; parameters as they were sent, every leaf a text. */
export interface LoggedRequest {
  readonly sequence: number
  readonly at: string
  readonly requestId: string
  readonly method: string
  readonly path: string
  readonly params: Raw
  readonly idempotencyKey: string | null
  readonly stripeVersion: string | null
  readonly status: number
  readonly errorCode: string | null
  readonly replayed: boolean
  readonly fault: string | null
  readonly durationMs: number
}

const KEPT = 20_000

/** The last requests, in memory only. */
export interface RequestLog {
  readonly add: (request: Omit<LoggedRequest, 'sequence'>) => void
  readonly list: () => readonly LoggedRequest[]
  readonly clear: () => void
}

export function createRequestLog(): RequestLog {
  let requests: LoggedRequest[] = []
  let sequence = 0
  return {
    add: (request) => {
      requests.push({ sequence: ++sequence, ...request })
      if (requests.length > KEPT * 1.1) requests = requests.slice(-KEPT)
    },
    list: () => requests,
    clear: () => {
      requests = []
    },
  }
}
