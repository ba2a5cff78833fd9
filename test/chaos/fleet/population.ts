import type { Random } from './random.ts'

/** How a subscriber's payments go. */
export const cards = ['good', 'declines first', 'declines always', '3-D Secure', 'e-mailed'] as const
export type CardKind = (typeof cards)[number]

/** How dunning of a subscriber ends. */
export const dunnings = ['leave_overdue', 'mark_uncollectible', 'cancel_subscription'] as const

export const planKeys = ['flat', 'usage', 'seats', 'annual', 'usage_eur', 'flat_jpy'] as const
export type PlanKey = (typeof planKeys)[number]

export interface Subscriber {
  /** Customer key and subject of usage. */
  readonly key: string
  readonly email: string
  readonly plan: PlanKey
  readonly currency: string
  readonly timezone: string
  readonly card: CardKind
  readonly dunning: (typeof dunnings)[number]
}

/** Subscribers who share a test clock. */
export interface Household {
  readonly index: number
  /** Where its clock starts. */
  readonly start: Date
  readonly members: readonly Subscriber[]
}

const currencies: Readonly<Record<PlanKey, string>> = {
  flat: 'USD',
  usage: 'USD',
  seats: 'USD',
  annual: 'USD',
  usage_eur: 'EUR',
  flat_jpy: 'JPY',
}

/** Often and seldom by how often each stands here. */
const plansDrawn: readonly PlanKey[] = [
  'flat',
  'flat',
  'usage',
  'usage',
  'usage',
  'seats',
  'seats',
  'annual',
  'usage_eur',
  'flat_jpy',
]
const cardsDrawn: readonly CardKind[] = [
  ...Array.from({ length: 13 }, () => 'good' as const),
  'declines first',
  'declines first',
  'declines always',
  '3-D Secure',
  '3-D Secure',
  'e-mailed',
  'e-mailed',
]
const dunningsDrawn = ['leave_overdue', 'leave_overdue', 'mark_uncollectible', 'cancel_subscription'] as const
const starts = [
  '2026-01-01T00:00:00Z',
  '2026-01-15T12:30:00Z',
  '2026-01-31T05:00:00Z',
  '2026-02-28T23:59:59Z',
  '2026-03-29T00:30:00Z',
] as const
const zones = ['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kathmandu'] as const

/** Who lives in the fleet: the same for the same seed and size. */
export function populate(random: Random, subscriptions: number, householdSize: number): readonly Household[] {
  const households: Household[] = []
  for (let first = 0; first < subscriptions; first += householdSize) {
    const index = households.length
    const drawn = random.stream(`household ${index}`)
    const size = Math.min(householdSize, subscriptions - first)
    households.push({
      index,
      start: new Date(drawn.pick(starts)),
      members: Array.from({ length: size }, (_, n) => subscriber(drawn, first + n)),
    })
  }
  return households
}

function subscriber(drawn: Random, number: number): Subscriber {
  const plan = drawn.pick(plansDrawn)
  return {
    key: `subscriber-${number}`,
    email: `person-${number}@chaos.example`,
    plan,
    currency: currencies[plan],
    timezone: drawn.pick(zones),
    card: drawn.pick(cardsDrawn),
    dunning: drawn.pick(dunningsDrawn),
  }
}
