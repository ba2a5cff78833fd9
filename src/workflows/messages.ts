import { defineSignal, defineUpdate } from '@temporalio/workflow'
import type { InvoiceCommand, SubscriptionCommand } from '../activities/contracts.ts'

/** A test clock moved: everything of its customers takes the time from here. */
export const tick = defineSignal<[{ readonly nowMs: number }]>('tick')

/** Wake, begin a new run and look again; what a deployment or an operator sends to sleepers. */
export const poke = defineSignal('poke')

/** Stripe reported something about the invoice; ids only, the object is fetched. */
export const stripeEventReceived =
  defineSignal<[{ readonly eventId: string; readonly type: string }]>('stripeEventReceived')

/** A command on a subscription: answered when it has been carried out, refused with an error code. */
export const subscriptionCommand = defineUpdate<void, [SubscriptionCommand]>('subscriptionCommand')

/** A command on an invoice that has a workflow. */
export const invoiceCommand = defineUpdate<void, [InvoiceCommand]>('invoiceCommand')

/** Move the test clock towards the target in its row. */
export const advance = defineSignal('advance')
