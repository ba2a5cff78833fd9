import { createHmac, timingSafeEqual } from 'node:crypto'

/** Stripe's own tolerance, in seconds: an older signature is a replay. */
const TOLERANCE_SECONDS = 300

/** What the header `Stripe-Signature` says: `t=<seconds>,v1=<hex>`, and a `v1` more while a secret is rolled. */
export interface WebhookSignature {
  readonly timestamp: string
  readonly signatures: readonly Buffer[]
}

/** Null: it is none of Stripe's, or of too long ago. */
export function readSignature(header: string | undefined, nowMs: number): WebhookSignature | null {
  let timestamp: string | null = null
  const signatures: Buffer[] = []
  for (const part of header?.split(',') ?? []) {
    if (/^t=\d{1,12}$/.test(part)) timestamp = part.slice(2)
    else if (/^v1=[0-9a-f]{64}$/.test(part)) signatures.push(Buffer.from(part.slice(3)))
  }
  if (timestamp === null || signatures.length === 0) return null
  const ageSeconds = Math.floor(nowMs / 1000) - Number(timestamp)
  return ageSeconds > TOLERANCE_SECONDS ? null : { timestamp, signatures }
}

/**
 * Whether Stripe signed the body with the secret. Over its bytes, as they came: the helper of Stripe's client decodes and
 * encodes them once more, which takes longer than the digest.
 */
export function isSignedWith(
  secret: string,
  { timestamp, signatures }: WebhookSignature,
  rawBody: Buffer,
): boolean {
  if (secret === '' || rawBody.length === 0) return false
  const expected = Buffer.from(
    createHmac('sha256', secret).update(`${timestamp}.`).update(rawBody).digest('hex'),
  )
  return signatures.some((signature) => timingSafeEqual(signature, expected))
}
