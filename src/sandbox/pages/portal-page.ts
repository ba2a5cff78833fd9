import type { Context } from '../context.ts'
import { fieldOf, redirect, sendHtml } from '../http.ts'
import { openPortal } from '../resources/portal.ts'
import { completeSetupAuthentication } from '../setup.ts'
import type { SetupIntentRecord } from '../records.ts'
import { tryOnPage } from './attempt.ts'
import { AUTHENTICATION_FAILED, authenticationPage } from './authentication.ts'
import { field } from './fields.ts'
import type { Html } from './html.ts'
import { document, html, notFound, problem } from './html.ts'
import type { PageRequest } from './pages.ts'
import { makeDefault, perform } from './portal-actions.ts'
import type { Portal } from './portal-view.ts'
import { detailsForm, detailsSection, historySection, methodsSection, newCard } from './portal-view.ts'
import { refusalWords } from './words.ts'

const baseOf = ({ session }: Portal) => new URL(session.url).pathname

function portalOf({ ctx, url }: PageRequest): Portal | null {
  const address = url.origin + url.pathname.replace(/\/authenticate$/, '')
  const session = [...ctx.store.newestFirst('portalSessions')].find((candidate) => candidate.url === address)
  const customer = session === undefined ? undefined : ctx.store.get('customers', session.customer)
  const configuration =
    session === undefined ? undefined : ctx.store.get('portalConfigurations', session.configuration)
  if (session === undefined || configuration === undefined) return null
  if (customer === undefined || customer._deleted) return null
  return { ctx, session, customer, features: configuration.features, refused: null }
}

/** A session with a flow shows that one thing; otherwise everything that the configuration has. */
function contentOf(portal: Portal): Html {
  const { session, features } = portal
  const card = (words: string, form: Html) =>
    html`<section class="card">
      <h2>${words}</h2>
      ${form}
    </section>`
  if (session.flow?.type === 'payment_method_update') return card('Add a card', newCard(portal))
  if (session.flow?.type === 'customer_update') return card('Update information', detailsForm(portal))
  return html`${features.payment_method_update.enabled ? methodsSection(portal) : null}
  ${features.customer_update.enabled ? detailsSection(portal) : null}
  ${features.invoice_history.enabled ? historySection(portal) : null}`
}

function show(request: PageRequest, portal: Portal, error: string | null): void {
  const { session, customer } = portal
  const back: readonly [string, string] | null = session.return_url ? [session.return_url, 'Return'] : null
  const body = html`<section>
      <h1>Billing</h1>
      <p class="soft">${customer.name ?? customer.email ?? ''}</p>
      ${problem(error)}
    </section>
    ${contentOf(portal)}`
  sendHtml(request.response, error === null ? 200 : 402, document('Billing', body, { back }))
}

/** Back to the portal, or to where the session's flow ends. */
function finish({ response }: PageRequest, portal: Portal): void {
  redirect(response, portal.session.flow?.after_completion.redirect?.return_url ?? baseOf(portal))
}

function submit(request: PageRequest, portal: Portal): void {
  const state: { next: 'done' | 'authenticate' } = { next: 'done' }
  const refusal = tryOnPage(request.ctx, () => {
    state.next = perform(portal, request.form)
  })
  request.changed()
  if (refusal !== null) {
    const refused = { ...portal, refused: fieldOf(request.form, 'action') }
    return show(request, refused, refusalWords(refusal))
  }
  if (state.next === 'authenticate') return redirect(request.response, `${baseOf(portal)}/authenticate`)
  finish(request, portal)
}

function waitingSetup(ctx: Context, { session }: Portal): SetupIntentRecord | undefined {
  const intent = session._setup ? ctx.store.get('setupIntents', session._setup) : undefined
  return intent?.status === 'requires_action' ? intent : undefined
}

function authenticate(request: PageRequest, portal: Portal): void {
  const { ctx, form, response } = request
  const intent = waitingSetup(ctx, portal)
  if (intent === undefined) return redirect(response, baseOf(portal))
  const outcome = fieldOf(form, 'outcome')
  const method = intent.payment_method ?? ''
  if (request.method !== 'POST' || outcome === '')
    return sendHtml(response, 200, authenticationPage(ctx.store.get('paymentMethods', method), null))
  const passes = outcome === 'complete'
  ctx.store.transact(() => {
    completeSetupAuthentication(ctx, intent, passes)
    if (passes) makeDefault(ctx, portal.customer.id, method)
    ctx.store.put('portalSessions', { ...portal.session, _setup: null })
  })
  request.changed()
  if (passes) finish(request, portal)
  else show(request, portal, AUTHENTICATION_FAILED)
}

/** `/p/login/<configuration>`: Stripe would mail a link to the address; here the portal opens at once. */
function login(request: PageRequest, id: string): void {
  const { ctx, form, response } = request
  const configuration = ctx.store.get('portalConfigurations', id)
  if (configuration?.login_page.enabled !== true) return sendHtml(response, 404, notFound('No such page'))
  const email = fieldOf(form, 'email').trim().toLowerCase()
  const customer = [...ctx.store.newestFirst('customers')].find(
    (candidate) => !candidate._deleted && candidate.email?.toLowerCase() === email,
  )
  if (request.method === 'POST' && customer !== undefined) {
    const session = ctx.store.transact(() => openPortal(ctx, customer, { configuration }))
    return redirect(response, session.url)
  }
  const error = request.method === 'POST' ? 'No customer has this email address.' : null
  const body = html`<section class="card">
    <h1>Log in to your billing</h1>
    ${problem(error)}
    <form method="post">
      <fieldset>${field('email', 'Email', { type: 'email', autocomplete: 'email', value: email })}</fieldset>
      <button class="wide" type="submit">Continue</button>
    </form>
  </section>`
  sendHtml(response, error === null ? 200 : 402, document('Log in', body, { layout: 'narrow' }))
}

/** `/p/<secret>`: payment methods, billing information and invoices of one customer. */
export function portalPage(request: PageRequest): void {
  const [, , first = '', second = ''] = request.url.pathname.split('/')
  if (first === 'login') return login(request, second)
  const portal = portalOf(request)
  if (portal === null) return sendHtml(request.response, 404, notFound('No such session'))
  if (second === 'authenticate') authenticate(request, portal)
  else if (request.method === 'POST') submit(request, portal)
  else show(request, portal, null)
}
