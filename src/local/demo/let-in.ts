const REFUSED: readonly number[] = [401, 403]

/** Whether a caller may read here. From the first API key on every call needs one, and a start goes on without the demo. */
export async function isLetIn(apiUrl: string, apiKey: string | undefined): Promise<boolean> {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
  const { status } = await fetch(`${apiUrl}/api/v1/billing/invoices?pageSize=1`, { headers })
  return !REFUSED.includes(status)
}
