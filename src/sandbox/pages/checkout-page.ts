import type { Context } from '../context.ts'
import { StripeRefusal } from '../errors.ts'
import { emit } from '../events.ts'
import { fieldOf, redirect, sendHtml } from '../http.ts'
import { createFromCard, requireTestCard } from '../resources/payment-methods.ts'
import { confirmSetup } from '../setup.ts'
import type { SessionRecord, SetupIntentRecord } from '../tables.ts'
import { cardField, document, html } from './html.ts'
import type { PageRequest } from './pages.ts'

/** Runs a change that may be refused; a refusal that changed state keeps it. Null: done. */
export function tryOnPage(ctx: Context, work: () => void): StripeRefusal | null {
  try {
    return ctx.store.transact(() => {
      try {
        work()
        return null
      } catch (error) {
        if (error instanceof StripeRefusal && error.keepsChanges) return error
        throw error
      }
    })
  } catch (error) {
    if (error instanceof StripeRefusal) return error
    throw error
  }
}

/** `{CHECKOUT_SESSION_ID}` in the return address becomes the id [stripe docs: checkout]. */
function returnAddress(session: SessionRecord): string | null {
  const address = session.success_url ?? session.return_url ?? null
  return address === null ? null : address.replaceAll('{CHECKOUT_SESSION_ID}', session.id)
}

function show(request: PageRequest, session: SessionRecord, error: string | null): void {
  const problem = error === null ? null : html`<p class="error" role="alert">${error}</p>`
  const cancel = session.cancel_url === null ? null : html`<a href="${session.cancel_url}">Back</a>`
  const form = html`<form method="post">${cardField}<button type="submit">Save card</button>${cancel}</form>`
  const body = html`<h1>Save your card</h1>
    ${problem}${session.status === 'open' ? form : html`<p>This session is ${session.status ?? ''}.</p>`}`
  sendHtml(request.response, error === null ? 200 : 402, document('Save your card', body))
}

function complete(
  ctx: Context,
  session: SessionRecord,
  [intent, card]: readonly [SetupIntentRecord, string],
): void {
  const method = createFromCard(ctx, requireTestCard(card))
  confirmSetup(ctx, intent, [method, true])
  const done = ctx.store.put('sessions', { ...session, status: 'complete', url: null, _dueAt: null })
  emit(ctx, 'checkout.session.completed', ['sessions', done])
}

/** `/c/<session>`: saves a card; the customer is present, so 3-D Secure counts as passed. */
export function checkoutPage(request: PageRequest): void {
  const { ctx, response, form, url } = request
  const session = ctx.store.get('sessions', url.pathname.split('/')[2] ?? '')
  const intent = session?.setup_intent ? ctx.store.get('setupIntents', session.setup_intent) : undefined
  if (session === undefined || intent === undefined) {
    return sendHtml(response, 404, document('Not found', html`<h1>No such session</h1>`))
  }
  if (request.method !== 'POST' || session.status !== 'open') return show(request, session, null)
  const refusal = tryOnPage(ctx, () => complete(ctx, session, [intent, fieldOf(form, 'card')]))
  request.changed()
  if (refusal !== null) return show(request, session, refusal.message)
  const back = returnAddress(session)
  if (back === null) show(request, ctx.store.get('sessions', session.id) ?? session, null)
  else redirect(response, back)
}
