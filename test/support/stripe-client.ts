/** A merchant's own calls; the faults are the product's. */
const headers = { authorization: 'Bearer sk_test_sandbox', 'sandbox-faults': 'none' }

/** A form post to the sandbox as `stripe` clients send it: what a merchant does at Stripe, outside of the product. */
export async function stripePost<T extends { id: string }>(
  sandboxUrl: string,
  path: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<T> {
  const response = await fetch(`${sandboxUrl}/v1/${path}`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields),
  })
  const body = await response.text()
  if (!response.ok) throw new Error(`Stripe POST ${path} answered ${response.status}: ${body}`)
  return JSON.parse(body) as T
}

export async function stripeGet<T>(sandboxUrl: string, path: string): Promise<T> {
  const response = await fetch(`${sandboxUrl}/v1/${path}`, { headers })
  const body = await response.text()
  if (!response.ok) throw new Error(`Stripe GET ${path} answered ${response.status}: ${body}`)
  return JSON.parse(body) as T
}

export async function stripeDelete(sandboxUrl: string, path: string): Promise<void> {
  const response = await fetch(`${sandboxUrl}/v1/${path}`, { method: 'DELETE', headers })
  if (!response.ok)
    throw new Error(`Stripe DELETE ${path} answered ${response.status}: ${await response.text()}`)
}

/** Makes a test clock at Stripe; returns its id. */
export async function stripeClock(sandboxUrl: string, frozenTime: string): Promise<string> {
  const seconds = Math.floor(Date.parse(frozenTime) / 1000).toString()
  return (await stripePost(sandboxUrl, 'test_helpers/test_clocks', { frozen_time: seconds })).id
}

/** Attaches a card (a `pm_card_…` token) and makes it the customer's default; returns its id. */
export async function giveCard(
  sandboxUrl: string,
  stripeCustomerId: string,
  card = 'pm_card_visa',
): Promise<string> {
  const { id } = await stripePost(sandboxUrl, `payment_methods/${card}/attach`, {
    customer: stripeCustomerId,
  })
  await stripePost(sandboxUrl, `customers/${stripeCustomerId}`, {
    'invoice_settings[default_payment_method]': id,
  })
  return id
}

/** Steers the sandbox: faults, webhook rules. */
export async function steerSandbox<T>(
  sandboxUrl: string,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body?: object },
): Promise<T> {
  const response = await fetch(`${sandboxUrl}/_sandbox${path}`, {
    method,
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

/** An endpoint is made to send one more type of event, as those of other versions do; answers how it is taken off again. */
export async function sendAlso(
  sandboxUrl: string,
  endpointId: string,
  type: string,
): Promise<() => Promise<void>> {
  const path = `webhook_endpoints/${endpointId}`
  const { enabled_events: types } = await stripeGet<{ enabled_events: string[] }>(sandboxUrl, path)
  const ask = async (events: readonly string[]): Promise<void> => {
    const fields = events.map((event, index) => [`enabled_events[${index}]`, event])
    await stripePost(sandboxUrl, path, Object.fromEntries(fields))
  }
  await ask([...types, type])
  return async () => await ask(types)
}
