import { createHmac } from 'node:crypto'
import type { ForgedShot } from './schedule.ts'
import type { Stack } from './stack.ts'
import type { Tally } from './tally.ts'

interface Forgery {
  readonly shot: ForgedShot
  readonly appId: string
  readonly onBreach: (breach: string) => void
}

/** Sends a webhook that is not Stripe's. It counts as a hit when it was looked at and refused; taken is a breach. */
export async function forge(stack: Stack, tally: Tally, { shot, appId, onBreach }: Forgery): Promise<void> {
  tally.shot('webhook: forged')
  const event = {
    id: `evt_forged_${Date.now()}`,
    object: 'event',
    type: shot.type,
    livemode: false,
    created: Math.floor(Date.now() / 1000),
    data: { object: { id: 'in_forged', object: 'invoice' } },
  }
  const body = JSON.stringify(event)
  const at = Math.floor(Date.now() / 1000)
  const signed = shot.signature === 'of another body' ? `${body} ` : body
  const signature = createHmac('sha256', 'whsec_forged').update(`${at}.${signed}`).digest('hex')
  const response = await fetch(`${stack.apiUrl}/api/v1/apps/${appId}/stripe/webhook`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(shot.signature !== 'none' && { 'stripe-signature': `t=${at},v1=${signature}` }),
    },
    body,
  }).catch(() => null)
  // Nobody answered: another fault was there first.
  if (response === null || response.status >= 500) return
  if (response.ok) return onBreach(`a forged webhook was taken: ${shot.type}, signature ${shot.signature}`)
  tally.hit('webhook: forged')
}
