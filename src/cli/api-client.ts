import { errorCodes, isErrorCode } from '../domain/errors.ts'
import { CliProblem } from './problem.ts'

/** The public HTTP API, called as any user would: the command line and the demo have no other way in. */
export interface Api {
  readonly url: string
  readonly get: <T>(path: string) => Promise<T>
  readonly post: <T>(path: string, body?: unknown) => Promise<T>
  readonly put: <T>(path: string, body: unknown) => Promise<T>
}

/** A client for an installation; `apiKey` where keys exist. Throws CliProblem with the problem's own words. */
export function apiClient(url: string, apiKey?: string): Api {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await send(url, { method, path, body, apiKey })
    const text = await response.text()
    if (!response.ok) throw problemOf(`${method} ${path}`, response.status, text)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
  return {
    url,
    get: async (path) => await call('GET', path),
    post: async (path, body) => await call('POST', path, body),
    put: async (path, body) => await call('PUT', path, body),
  }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly body: unknown
  readonly apiKey: string | undefined
}

async function send(url: string, { method, path, body, apiKey }: Call): Promise<Response> {
  const type =
    path === '/api/v1/events' && Array.isArray(body)
      ? 'application/cloudevents-batch+json'
      : 'application/json'
  try {
    return await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': type }),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    })
  } catch (error) {
    throw new CliProblem(
      {
        what: `${url} did not answer`,
        why: reasonOf(error),
        next: 'start it with npm start, or name another with --url',
      },
      error,
    )
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

function problemOf(call: string, status: number, text: string): CliProblem {
  const body = parsed(text)
  const where = typeof body['field'] === 'string' ? ` (field ${body['field']})` : ''
  const why = typeof body['detail'] === 'string' ? `${body['detail']}${where}` : text.slice(0, 500)
  const code = typeof body['code'] === 'string' ? body['code'] : ''
  return new CliProblem({
    what: `${call} answered ${status} ${code}`.trimEnd(),
    why,
    next: nextFor(status, code),
  })
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const CONFLICT = 409
const TOO_MANY_REQUESTS = 429

function nextFor(status: number, code: string): string {
  if (status === 401 || status === 403) return 'set PERENNIAL_API_KEY to a key with the scope this call needs'
  if (status === 404) return 'list what there is, and use an id from there'
  // The state of things is in the way, not the request.
  if ((status === CONFLICT || status === TOO_MANY_REQUESTS) && isErrorCode(code)) return errorCodes[code].todo
  if (status >= 500) return 'read the log of the API (.perennial/logs/server.log), and run perennial doctor'
  return 'correct the request; the API reference at /docs shows what it takes'
}
