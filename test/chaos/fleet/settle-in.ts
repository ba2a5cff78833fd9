import { makeCatalog } from './catalog.ts'
import { atStripe } from './client.ts'
import type { ApiClient } from './client.ts'
import { cards, dunnings } from './population.ts'
import type { CardKind, Household, Subscriber } from './population.ts'
import type { Promises } from './promises.ts'

/** Somebody of the fleet as they are here and at Stripe. */
export interface Resident extends Subscriber {
  readonly customerId: string
  readonly stripeCustomerId: string
}

export interface Home {
  readonly household: Household
  readonly clockId: string
  readonly residents: readonly Resident[]
}

export interface Place {
  readonly client: ApiClient
  readonly sandboxUrl: string
  /** Whatever is promised is noted there. */
  readonly promises: Promises
}

interface HasId {
  readonly id: string
}

const tokens: Readonly<Record<CardKind, string | null>> = {
  good: 'pm_card_visa',
  'declines first': 'pm_card_chargeCustomerFail',
  'declines always': 'pm_card_chargeCustomerFail',
  '3-D Secure': 'pm_card_authenticationRequired',
  'e-mailed': null,
}

/** Attaches a test card and makes it the one that is charged. */
export async function giveCard(sandboxUrl: string, customer: string, token: string): Promise<void> {
  const card = await atStripe<HasId>(sandboxUrl, `payment_methods/${token}/attach`, { customer })
  await atStripe(sandboxUrl, `customers/${customer}`, { 'invoice_settings[default_payment_method]': card.id })
}

export interface Office {
  readonly appId: string
  /** Ids of billing profiles, by way of payment and end of dunning. */
  readonly profiles: ReadonlyMap<string, string>
}

const profileOf = (card: CardKind, dunning: string): string =>
  `${card === 'e-mailed' ? 'e-mailed' : 'charged'}, ${dunning}`

/** The Stripe app, the catalog, and a billing profile for each way of paying. */
export async function openOffice({ client }: Place, apiKey: string): Promise<Office> {
  const { call } = client
  const { app } = await call<{ app: HasId }>('POST', '/api/v1/marketplace/listings/stripe/install/apikey', {
    apiKey,
    name: 'Stripe',
  })
  const profiles = new Map<string, string>()
  for (const card of [cards[0], 'e-mailed'] as const) {
    for (const end of dunnings) {
      const name = profileOf(card, end)
      const collectionMethod = card === 'e-mailed' ? 'send_invoice' : 'charge_automatically'
      const { id } = await call<HasId>('POST', '/api/v1/billing/profiles', {
        name,
        default: profiles.size === 0,
        supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
        workflow: { payment: { collectionMethod }, invoicing: { dueAfter: 'P10D' } },
        dunning: { retries: ['P2D', 'P6D'], end, grace: 'P14D' },
        lateUsage: { policy: 'bill_on_next', window: 'P40D' },
        apps: { tax: app.id, invoicing: app.id, payment: app.id },
      })
      profiles.set(name, id)
    }
  }
  await makeCatalog(client)
  return { appId: app.id, profiles }
}

/** A test clock here and at Stripe, and its customers with their cards. They have no subscription yet. */
export async function moveIn(place: Place, office: Office, household: Household): Promise<Home> {
  const { call } = place.client
  const frozenTime = household.start.toISOString()
  const clock = await call<HasId>('POST', '/api/v1/test-clocks', {
    name: `household-${household.index}`,
    frozenTime,
  })
  const stripeClock = await atStripe<HasId>(place.sandboxUrl, 'test_helpers/test_clocks', {
    frozen_time: String(household.start.getTime() / 1000),
  })
  const residents: Resident[] = []
  for (const member of household.members)
    residents.push(
      await register(place, office, { member, clockId: clock.id, stripeClockId: stripeClock.id }),
    )
  return { household, clockId: clock.id, residents }
}

interface Registration {
  readonly member: Subscriber
  readonly clockId: string
  readonly stripeClockId: string
}

async function register(
  { client, sandboxUrl }: Place,
  office: Office,
  given: Registration,
): Promise<Resident> {
  const { member } = given
  const atTheirs = await atStripe<HasId>(sandboxUrl, 'customers', {
    name: member.key,
    email: member.email,
    test_clock: given.stripeClockId,
  })
  const token = tokens[member.card]
  if (token !== null) await giveCard(sandboxUrl, atTheirs.id, token)
  const customer = await client.call<HasId>('POST', '/api/v1/customers', {
    key: member.key,
    name: member.key,
    primaryEmail: member.email,
    currency: member.currency,
    timezone: member.timezone,
    usageAttribution: { subjectKeys: [member.key] },
    testClockId: given.clockId,
  })
  await client.call('PUT', `/api/v1/customers/${customer.id}/apps`, [
    { type: 'stripe', stripeCustomerId: atTheirs.id },
  ])
  await client.call('PUT', `/api/v1/billing/customers/${customer.id}`, {
    billingProfileId: office.profiles.get(profileOf(member.card, member.dunning)),
  })
  return { ...member, customerId: customer.id, stripeCustomerId: atTheirs.id }
}
