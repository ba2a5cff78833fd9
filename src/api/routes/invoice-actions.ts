import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { DomainError } from '../../domain/errors.ts'
import { commandInvoice, refuseAction } from '../actions/invoice-actions.ts'
import { presentOneInvoice } from '../actions/present-invoices.ts'
import type { ApiDeps } from '../deps.ts'
import { commandId } from '../request-id.ts'
import { Invoice, InvoiceParams, InvoiceVoid } from '../schemas/invoices.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Invoices']
const FULL_PERCENT = 100
const config = { scope: 'admin' } as const
const ofCommand = { scope: 'admin', admission: 'command' } as const

const schemaOf = (operationId: string, description: string) => ({
  operationId,
  tags,
  description,
  params: InvoiceParams,
  response: { 200: ref(Invoice) },
})

/** All of an invoice is voided, and its period stays closed (billing rule 29): nothing goes back to be billed again. */
function checkVoid({ action, overrides }: Static<typeof InvoiceVoid>): void {
  const refuse = (field: string, why: string): never => {
    throw new DomainError('validation_failed', why, { field })
  }
  if (action.percentage !== FULL_PERCENT) refuse('action.percentage', 'An invoice is voided as a whole: 100.')
  if (action.action.type !== 'discard')
    refuse('action.action.type', 'What is voided is not billed again: discard.')
  if ((overrides ?? []).length > 0) refuse('overrides', 'An invoice is voided as a whole, without overrides.')
}

/** Actions of the contract that are never offered, and why. */
const neverOffered = [
  [
    'POST',
    'advance',
    'advanceInvoiceAction',
    'An invoice goes on by itself; approve a draft, or retry what failed.',
  ],
  [
    'POST',
    'snapshot-quantities',
    'snapshotQuantitiesInvoiceAction',
    'Quantities are taken when the period closes, and stay.',
  ],
  [
    'POST',
    'taxes/recalculate',
    'recalculateInvoiceTaxAction',
    'Tax is taken over from Stripe when the invoice is issued.',
  ],
] as const

/** What a person can do with an invoice; `availableActions` of the invoice says which now. */
export function invoiceActionRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/billing/invoices/:invoiceId/approve',
      {
        config: ofCommand,
        schema: schemaOf(
          'approveInvoiceAction',
          'Approves an invoice that waits for it: it is issued and collected at Stripe. ' +
            '`action_not_available` (409) where nothing is to approve; the same `Idempotency-Key` acts once.',
        ),
      },
      async (request) => {
        const command = { kind: 'approve', requestId: commandId(deps, request) } as const
        return await presentOneInvoice(deps, await commandInvoice(deps, request.params.invoiceId, command))
      },
    )

    app.post(
      '/api/v1/billing/invoices/:invoiceId/retry',
      {
        config: ofCommand,
        schema: schemaOf(
          'retryInvoiceAction',
          'Tries again now what failed: issuing, or the payment. Without it, payments are tried again as ' +
            "the profile's dunning says. `action_not_available` (409) where nothing failed; the same " +
            '`Idempotency-Key` acts once.',
        ),
      },
      async (request) => {
        const command = { kind: 'retry', requestId: commandId(deps, request) } as const
        return await presentOneInvoice(deps, await commandInvoice(deps, request.params.invoiceId, command))
      },
    )

    app.post(
      '/api/v1/billing/invoices/:invoiceId/void',
      {
        config: ofCommand,
        schema: {
          ...schemaOf(
            'voidInvoiceAction',
            'Voids the invoice as a whole, here and at Stripe: `percentage` 100 and `discard`, anything ' +
              'else is `validation_failed` (400). Its period stays closed and is not billed again. ' +
              '`action_not_available` (409) where it cannot be voided any more.',
          ),
          body: ref(InvoiceVoid),
        },
      },
      async (request) => {
        checkVoid(request.body)
        const command = {
          kind: 'void',
          requestId: commandId(deps, request),
          reason: request.body.reason,
        } as const
        return await presentOneInvoice(deps, await commandInvoice(deps, request.params.invoiceId, command))
      },
    )

    for (const [method, action, operationId, why] of neverOffered) {
      app.route({
        method,
        url: `/api/v1/billing/invoices/:invoiceId/${action}`,
        config,
        schema: schemaOf(
          operationId,
          `Of the contract, and always refused with \`action_not_available\` (409). ${why}`,
        ),
        handler: async (request) => await refuseAction(deps, request.params.invoiceId, why),
      })
    }

    app.delete(
      '/api/v1/billing/invoices/:invoiceId',
      {
        config,
        schema: {
          operationId: 'deleteInvoice',
          tags,
          description:
            'Of the contract, and always refused with `action_not_available` (409): a closed period keeps ' +
            'its invoice. Void it instead.',
          params: InvoiceParams,
          response: { 204: Type.Null() },
        },
      },
      async (request) =>
        await refuseAction(
          deps,
          request.params.invoiceId,
          'A closed period keeps its invoice: void it instead.',
        ),
    )
  }
}
