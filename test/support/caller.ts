/** Calls the API; throws with the problem when the answer is not 2xx. */
export type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>

/** Calls of the API at this address. */
export function caller(url: string, headers: Readonly<Record<string, string>> = {}): Call {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
}
