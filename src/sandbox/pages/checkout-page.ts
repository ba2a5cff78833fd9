import { readDetails, wantsAddress, wantsTaxId } from '../checkout/details.ts'
import { resumeSession, submitSession, waitingInSession } from '../checkout/modes.ts'
import type { Progress } from '../checkout/setup-mode.ts'
import { fieldOf, redirect, sendHtml } from '../http.ts'
import type { Raw } from '../route.ts'
import type { CustomerRecord, SessionRecord } from '../records.ts'
import { tryOnPage } from './attempt.ts'
import { AUTHENTICATION_FAILED, authenticationPage } from './authentication.ts'
import { methodOfForm, readAddress } from './card-form.ts'
import { subscriptionSummary } from './checkout-subscription.ts'
import { addressFields, cardFields, field } from './fields.ts'
import type { Html } from './html.ts'
import { document, html, notFound, problem } from './html.ts'
import type { PageRequest } from './pages.ts'
import { refusalWords } from './words.ts'

/** `{CHECKOUT_SESSION_ID}` in the return address becomes the id [stripe docs: checkout]. */
function returnAddress(session: SessionRecord): string | null {
  const address = session.success_url ?? session.return_url ?? null
  return address === null ? null : address.replaceAll('{CHECKOUT_SESSION_ID}', session.id)
}

/** `/c/<session>`, or `/c/embedded/<client_secret>` for what a site shows inside its own page. */
function baseOf(session: SessionRecord): string {
  return session.client_secret === null ? `/c/${session.id}` : `/c/embedded/${session.client_secret}`
}

function sessionOf({
  ctx,
  url,
}: PageRequest): { readonly session: SessionRecord; readonly rest: string } | null {
  const [, , first = '', second = '', third = ''] = url.pathname.split('/')
  const isEmbedded = first === 'embedded'
  const session = ctx.store.get('sessions', isEmbedded ? (second.split('_secret_')[0] ?? '') : first)
  if (session === undefined || (isEmbedded && session.client_secret !== second)) return null
  return { session, rest: isEmbedded ? third : second }
}

function taxIdFields(customer: CustomerRecord | undefined, sent: Raw): Html {
  return html`<fieldset>
    <legend>Buying for a business?</legend>
    ${field('business_name', 'Business name', {
      value: fieldOf(sent, 'business_name') || customer?.name,
      autocomplete: 'organization',
      required: false,
    })}
    ${field('tax_id', 'Tax ID', {
      value: fieldOf(sent, 'tax_id'),
      placeholder: 'DE123456789',
      required: false,
    })}
  </fieldset>`
}

function emailField(session: SessionRecord, sent: Raw): Html {
  const value = fieldOf(sent, 'email') || session.customer_email
  return html`<fieldset>
    ${field('email', 'Email', { value, type: 'email', autocomplete: 'email' })}
  </fieldset>`
}

/** The form; what was typed before a refusal is still there, except for the card. */
function formOf({ ctx, form: sent }: PageRequest, session: SessionRecord): Html {
  const customer = session.customer === null ? undefined : ctx.store.get('customers', session.customer)
  const who = customer?.email ?? null
  return html`<form method="post" action="${baseOf(session)}">
    ${who === null ? emailField(session, sent) : html`<p class="soft">${who}</p>`}
    ${cardFields(fieldOf(sent, 'name') || customer?.name)}
    ${wantsAddress(session) ? addressFields(readAddress(sent) ?? customer?.address) : null}
    ${wantsTaxId(session) ? taxIdFields(customer, sent) : null}
    <button class="wide" type="submit">${session.mode === 'subscription' ? 'Subscribe' : 'Save card'}</button>
  </form>`
}

const endings: Readonly<Record<string, string>> = {
  complete: 'Thank you. Your payment details are saved.',
  expired: 'This page has expired. Please start again where you came from.',
}

function showEnding({ response }: PageRequest, { status }: SessionRecord): void {
  const look = status === 'complete' ? 'done' : 'error'
  const body = html`<p class="${look}">${endings[status ?? ''] ?? ''}</p>`
  sendHtml(response, 200, document('Checkout', body, { layout: 'narrow' }))
}

function show(request: PageRequest, session: SessionRecord, error: string | null): void {
  if (session.status !== 'open') return showEnding(request, session)
  const back: readonly [string, string] | null = session.cancel_url ? [session.cancel_url, 'Cancel'] : null
  const setupSummary = html`<aside>
    <h1>Save your payment details</h1>
    <p class="soft">Nothing is charged now. The card is kept for what you buy later.</p>
  </aside>`
  const isSale = session.mode === 'subscription'
  const summary = isSale ? subscriptionSummary(request.ctx, session) : setupSummary
  const body = html`${summary}
    <section>${problem(error)}${formOf(request, session)}</section>`
  sendHtml(request.response, error === null ? 200 : 402, document('Checkout', body, { layout: 'two', back }))
}

function finish(request: PageRequest, session: SessionRecord): void {
  const back = returnAddress(session)
  if (back !== null) return redirect(request.response, back)
  show(request, request.ctx.store.get('sessions', session.id) ?? session, null)
}

function submit(request: PageRequest, session: SessionRecord): void {
  const { ctx, form: sent } = request
  const text = (name: string) => fieldOf(sent, name).trim() || null
  const state: { progress: Progress } = { progress: 'complete' }
  const refusal = tryOnPage(ctx, () => {
    const details = readDetails(ctx, session, {
      email: text('email'),
      name: text('name'),
      businessName: text('business_name'),
      address: readAddress(sent),
      taxId: text('tax_id'),
    })
    const method = methodOfForm(ctx, sent, details.email)
    state.progress = submitSession(ctx, session, [method, details])
  })
  request.changed()
  if (refusal !== null) return show(request, session, refusalWords(refusal))
  if (state.progress === 'authenticate') return redirect(request.response, `${baseOf(session)}/authenticate`)
  finish(request, session)
}

/** The bank's page; failing leaves the session open for another card. */
function authenticate(request: PageRequest, session: SessionRecord): void {
  const { ctx, form: sent } = request
  const method = waitingInSession(ctx, session)
  if (method === undefined) return redirect(request.response, baseOf(session))
  const outcome = fieldOf(sent, 'outcome')
  if (request.method !== 'POST' || outcome === '')
    return sendHtml(request.response, 200, authenticationPage(method, null))
  let passed = false
  const refusal = tryOnPage(ctx, () => {
    passed = resumeSession(ctx, session, outcome === 'complete')
  })
  request.changed()
  if (refusal !== null) return show(request, session, refusalWords(refusal))
  if (passed) return finish(request, session)
  show(request, session, AUTHENTICATION_FAILED)
}

/** The page of a Checkout session: takes a card and what the session asks for beside it. */
export function checkoutPage(request: PageRequest): void {
  const found = sessionOf(request)
  if (found === null) return sendHtml(request.response, 404, notFound('No such session'))
  const { session, rest } = found
  if (session.status !== 'open') return show(request, session, null)
  if (rest === 'authenticate') return authenticate(request, session)
  if (request.method === 'POST') return submit(request, session)
  show(request, session, null)
}
