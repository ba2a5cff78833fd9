/** A request that has to be refused, and how. */
export interface BadRequest {
  readonly name: string
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Ids of the scenario stand as `{clock}`. */
  readonly path: string
  /** Sent as JSON; text is sent as it is. */
  readonly body?: unknown
  readonly contentType?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly status: number
  readonly code: string
  readonly field?: string
  readonly detail: RegExp
}

export interface Answer {
  readonly status: number
  readonly contentType: string | null
  readonly problem: unknown
}

export async function send(
  url: string,
  bad: BadRequest,
  ids: Readonly<Record<string, string>>,
): Promise<Answer> {
  const filled = (text: string): string =>
    text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => ids[name] ?? whole)
  const text =
    bad.body === undefined
      ? undefined
      : typeof bad.body === 'string'
        ? bad.body
        : filled(JSON.stringify(bad.body))
  const contentType = bad.contentType === undefined ? 'application/json' : bad.contentType
  const response = await fetch(url + filled(bad.path), {
    method: bad.method ?? (text === undefined ? 'GET' : 'POST'),
    headers: {
      ...(text !== undefined && contentType !== null && { 'content-type': contentType }),
      ...bad.headers,
    },
    // As bytes, so that fetch adds no content type of its own.
    ...(text !== undefined && { body: new TextEncoder().encode(text) }),
  })
  const answer = await response.text()
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    problem: answer.startsWith('{') ? JSON.parse(answer) : answer,
  }
}
