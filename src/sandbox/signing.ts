import { createHmac } from 'node:crypto'

/** The `Stripe-Signature` header: `t=…,v1=…`, one `v1` a secret [stripe docs: verify webhook signatures]. */
export function signatureHeader(payload: string, secrets: readonly string[], timestamp: number): string {
  const signatures = secrets.map(
    (secret) => `v1=${createHmac('sha256', secret).update(`${timestamp}.${payload}`).digest('hex')}`,
  )
  return [`t=${timestamp}`, ...signatures].join(',')
}
