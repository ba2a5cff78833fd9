import { CliProblem } from '../../cli/problem.ts'

/** Stripe's HTTP API as a merchant's own script would call it: forms in, JSON out. */
export interface StripeCalls {
  readonly get: <T>(path: string) => Promise<T>
  readonly post: <T>(path: string, form?: Readonly<Record<string, string>>) => Promise<T>
}

export function stripeClient(url: string, apiKey: string): StripeCalls {
  const call = async <T>(method: string, path: string, form?: URLSearchParams): Promise<T> => {
    // fetch sends URLSearchParams as a form, content type included.
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}` },
      ...(form === undefined ? {} : { body: form }),
      signal: AbortSignal.timeout(30_000),
    })
    const text = await response.text()
    if (response.ok) return JSON.parse(text) as T
    throw new CliProblem({
      what: `Stripe answered ${response.status} to ${method} ${path}`,
      why: text.slice(0, 500),
      next: 'check STRIPE_API_KEY; with the sandbox, run npm start -- --reset',
    })
  }
  return {
    get: async (path) => await call('GET', path),
    post: async (path, form = {}) => await call('POST', path, new URLSearchParams(form)),
  }
}

export interface StripeInvoice {
  readonly id: string
  readonly status: string
  readonly total: number
  readonly currency: string
  readonly hosted_invoice_url: string | null
  readonly metadata: Readonly<Record<string, string>>
}
