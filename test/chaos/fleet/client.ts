import { randomUUID } from 'node:crypto'

/** Callers that do not give up: the same request until it is answered. */
export interface ApiClient {
  /** The answer, once it is neither lost nor 5xx. Throws with the problem when it is a refusal. */
  readonly call: <T>(method: string, path: string, body?: unknown) => Promise<T>
  /** As `call`; refusals are answers, too. */
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Answer>
  /** Requests that were sent again. */
  readonly repeats: () => number
}

export interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly body: unknown
  /** As `Retry-After` says. */
  readonly repeatAfterMs: number
}

const PAUSE_MS = 250
/** A dead process may leave a connection that nobody answers. */
const ANSWER_LIMIT_MS = 30_000

/** Cut off, failing, or still held by the request that died. */
const isOpen = ({ status, code }: Answer): boolean =>
  status === 0 || status >= 500 || status === 429 || code === 'idempotency_key_in_use'

export function apiClient(url: string): ApiClient {
  let repeats = 0
  const ask = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const request = {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        // Not for usage, which has ids of its own.
        ...(method !== 'GET' && !path.endsWith('/events') && { 'idempotency-key': randomUUID() }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }
    for (;;) {
      const answer = await once(url + path, request)
      if (!isOpen(answer)) return answer
      repeats += 1
      await new Promise((resolve) => setTimeout(resolve, answer.repeatAfterMs))
    }
  }
  return {
    ask,
    async call<T>(method: string, path: string, body?: unknown) {
      const answer = await ask(method, path, body)
      if (answer.status >= 400)
        throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
      return answer.body as T
    },
    repeats: () => repeats,
  }
}

async function once(url: string, request: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) })
    const text = await response.text()
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    const seconds = Number(response.headers.get('retry-after') ?? 0)
    return {
      status: response.status,
      code: (body as { code?: string } | undefined)?.code,
      body,
      repeatAfterMs: seconds > 0 ? seconds * 1_000 : PAUSE_MS,
    }
  } catch {
    return { status: 0, code: undefined, body: undefined, repeatAfterMs: PAUSE_MS }
  }
}

/** Stripe as the customers and the merchant use it beside the product: spared by the faults. */
export async function atStripe<T>(
  sandboxUrl: string,
  path: string,
  fields?: Readonly<Record<string, string>>,
): Promise<T> {
  const response = await fetch(`${sandboxUrl}/v1/${path}`, {
    method: fields === undefined ? 'GET' : 'POST',
    headers: { authorization: 'Bearer sk_test_sandbox', 'sandbox-faults': 'none' },
    ...(fields !== undefined && { body: new URLSearchParams(fields) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`Stripe ${path} answered ${response.status}: ${text}`)
  return JSON.parse(text) as T
}

/** The sandbox's control plane. */
export async function steer<T>(sandboxUrl: string, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${sandboxUrl}/_sandbox${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`the sandbox answered ${method} ${path} with ${response.status}: ${text}`)
  return JSON.parse(text) as T
}
