import { expect, test } from 'vitest'
import { eventHandlers } from '../../src/relay/event-handlers.ts'
import { endpointEvents, manualWebhookEvents, passedOver, webhookEvents } from '../../src/stripe/events.ts'

const app = { livemode: true }
const isHeeded = (type: string): boolean => passedOver(app, { livemode: true, type }) === null

test('what is asked of Stripe is acted on, or passed over by name', () => {
  const kept = webhookEvents.filter(isHeeded)
  expect(kept.filter((type) => eventHandlers[type] === undefined)).toEqual([])
  const passedOver = webhookEvents.filter((type) => !isHeeded(type))
  expect(passedOver).toEqual(['invoice.created', 'invoice_payment.paid'])
  expect(passedOver.filter((type) => eventHandlers[type] !== undefined)).toEqual([])
})

test('an endpoint is asked for all that is acted on, and for what Stripe waits with', () => {
  expect(endpointEvents).toEqual(expect.arrayContaining([...manualWebhookEvents, 'invoice.created']))
  const asked = new Set<string>(endpointEvents)
  expect(webhookEvents.filter((type) => isHeeded(type) && !asked.has(type))).toEqual([])
})
