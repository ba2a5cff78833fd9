import { expect, test } from 'vitest'
import { eventHandlers } from '../../src/relay/event-handlers.ts'
import { endpointEvents, manualWebhookEvents, passedOver, webhookEvents } from '../../src/stripe/events.ts'

const app = { livemode: true }
const isKept = (type: string, isOwn = false): boolean =>
  passedOver(app, { livemode: true, type, isOwn }) === null

test('what is asked of Stripe is acted on, or passed over by name', () => {
  const kept = webhookEvents.filter((type) => isKept(type))
  expect(kept.filter((type) => eventHandlers[type] === undefined)).toEqual([])
  const unheeded = webhookEvents.filter((type) => !isKept(type))
  expect(unheeded).toEqual(['invoice.created', 'invoice_payment.paid'])
  expect(unheeded.filter((type) => eventHandlers[type] !== undefined)).toEqual([])
})

test('an endpoint is asked for all that is acted on, and for what Stripe waits with', () => {
  expect(endpointEvents).toEqual(expect.arrayContaining([...manualWebhookEvents, 'invoice.created']))
  const asked = new Set<string>(endpointEvents)
  // An invoice whose draft may be corrected looks at it by itself; every invoice that we bill would tell this twice or more.
  expect(webhookEvents.filter((type) => isKept(type) && !asked.has(type))).toEqual(['invoice.updated'])
})

test('rule 30: of what our own requests caused, only changes that their replies tell are passed over', () => {
  const unheeded = webhookEvents.filter((type) => isKept(type) && !isKept(type, true))
  expect(unheeded).toEqual(['invoice.updated', 'customer.updated'])
})
