import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { InvoiceCommand } from '../activities/contracts.ts'
import { createClock } from './clock.ts'
import type { ClockSource } from './clock.ts'
import { createCommandQueue } from './commands.ts'
import { invoiceCommand, poke, stripeEventReceived } from './messages.ts'
import { pokeBeginsRun } from './patches.ts'
import { advanceInvoice } from './proxies.ts'
import { invoiceStatusAttribute } from './search-attributes.ts'

export interface InvoiceInput {
  readonly invoiceId: string
  readonly clock: ClockSource
  readonly nextDueMs: number | null
  readonly waitingFor: string
  /** Something happened at Stripe that the run before had no time to look at. */
  readonly look?: boolean
}

/**
 * An invoice that has to wait: for approval, its draft period, a payment, a retry. It sleeps until the next thing is due
 * or Stripe reports something, takes one step, and ends when the invoice is settled.
 */
export async function invoice(input: InvoiceInput): Promise<void> {
  const commands = createCommandQueue<InvoiceCommand>()
  let look = input.look ?? false
  let poked = false
  setHandler(invoiceCommand, (command) => commands.submit(command))
  setHandler(stripeEventReceived, () => {
    look = true
  })
  setHandler(poke, () => {
    look = true
    poked = true
  })
  const clock = createClock(input.clock)
  const interrupted = (): boolean => look || !commands.isEmpty()

  let nextDueMs = input.nextDueMs
  let waitingFor = input.waitingFor
  let shownStatus = ''

  for (;;) {
    await clock.waitUntil(nextDueMs, interrupted, { summary: waitingFor })
    const isLong = workflowInfo().continueAsNewSuggested
    if (commands.isEmpty() && (isLong || (poked && pokeBeginsRun()))) {
      await condition(allHandlersFinished)
      const next = { nextDueMs, waitingFor, look }
      await continueAsNew<typeof invoice>({ ...input, ...next, clock: clock.source() })
    }
    const command = commands.next()
    const looking = look
    // A command goes first.
    look = poked && command !== undefined && pokeBeginsRun()
    const step = await advanceInvoice({
      invoiceId: input.invoiceId,
      asOfMs: clock.nowMs(),
      look: looking,
      ...(command && { command }),
    })
    if (command) commands.complete(command, step.refused)
    setCurrentDetails(step.summary)
    if (step.status !== shownStatus)
      upsertSearchAttributes([{ key: invoiceStatusAttribute, value: step.status }])
    shownStatus = step.status
    // A message that came during the last step still gets its answer.
    if (step.final && !interrupted()) break
    nextDueMs = step.nextDueMs
    waitingFor = step.waitingFor
  }
  await condition(allHandlersFinished)
}
