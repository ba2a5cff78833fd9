import { cadenceDivides, parseCadence, parseTerm } from './calendar.ts'
import { currency } from './currency.ts'
import { DomainError } from './errors.ts'
import { rateCardViolations } from './rate-card-validation.ts'
import type { Phase } from './rate-card.ts'
import { invalid, refusals, type Violation } from './violations.ts'

export type { Violation } from './violations.ts'

export interface PlanTerms {
  readonly currency: string
  readonly billingCadence: string
  readonly phases: readonly Phase[]
}

const maxPhases = 50
/** What one invoice of the processor can hold. */
const maxRateCards = 200

/** All that is wrong with a plan (rules 4, 12 and 18); empty when it can be published. */
export function validatePlan(plan: PlanTerms): readonly Violation[] {
  return [
    ...refusals('currency', () => currency(plan.currency)),
    ...refusals('billingCadence', () => parseCadence(plan.billingCadence)),
    ...phaseCountViolations(plan.phases),
    ...duplicates(plan.phases, 'phases'),
    ...plan.phases.flatMap((phase, i) =>
      phaseViolations(phase, `phases[${i}]`, i === plan.phases.length - 1),
    ),
    ...cadenceViolations(plan),
  ]
}

function phaseCountViolations(phases: readonly Phase[]): readonly Violation[] {
  if (phases.length === 0) return [invalid('phases', 'A plan needs a phase')]
  return phases.length > maxPhases ? [invalid('phases', `A plan has at most ${maxPhases} phases`)] : []
}

function phaseViolations(phase: Phase, field: string, isLast: boolean): readonly Violation[] {
  const cards = phase.rateCards
  return [
    ...durationViolations(phase, `${field}.duration`, isLast),
    ...(cards.length > maxRateCards
      ? [invalid(`${field}.rateCards`, `At most ${maxRateCards} rate cards`)]
      : []),
    ...duplicates(cards, `${field}.rateCards`),
    ...cards.flatMap((card, i) => rateCardViolations(card, `${field}.rateCards[${i}]`)),
  ]
}

function durationViolations(phase: Phase, field: string, isLast: boolean): readonly Violation[] {
  if (phase.duration === null) return isLast ? [] : [invalid(field, 'Only the last phase has no duration')]
  if (isLast)
    return [invalid(field, 'The last phase has no duration: it goes on until the subscription ends')]
  const duration = phase.duration
  return refusals(field, () => {
    if (parseTerm(duration).blank)
      throw new DomainError('invalid_duration', 'A phase lasts longer than nothing')
  })
}

function duplicates(items: readonly { readonly key: string }[], field: string): readonly Violation[] {
  const seen = new Set<string>()
  return items.flatMap(({ key }, i) => {
    const isNew = !seen.has(key)
    seen.add(key)
    return isNew
      ? []
      : [{ field: `${field}[${i}].key`, code: 'duplicate_key', message: `"${key}" is used twice` }]
  })
}

/** Of every two cadences one must divide the other, or their boundaries drift apart (rule 4). */
function cadenceViolations(plan: PlanTerms): readonly Violation[] {
  const used = [{ field: 'billingCadence', cadence: plan.billingCadence }]
  const violations: Violation[] = []
  for (const { field, cadence } of recurring(plan.phases)) {
    const other = used.find((u) => !areCompatible(u.cadence, cadence))
    if (other !== undefined) {
      const message = `${cadence} and ${other.cadence} (${other.field}) do not divide each other`
      violations.push({ field, code: 'cadence_not_divisible', message })
    }
    if (!used.some((u) => u.cadence === cadence)) used.push({ field, cadence })
  }
  return violations
}

function recurring(phases: readonly Phase[]): readonly { field: string; cadence: string }[] {
  return phases.flatMap((phase, p) =>
    phase.rateCards.flatMap(({ billingCadence }, r) =>
      billingCadence === null
        ? []
        : [{ field: `phases[${p}].rateCards[${r}].billingCadence`, cadence: billingCadence }],
    ),
  )
}

/** A cadence that cannot be read is reported where it stands, and is not compared. */
function areCompatible(a: string, b: string): boolean {
  const isReadable = (iso: string): boolean => refusals('', () => parseCadence(iso)).length === 0
  return !isReadable(a) || !isReadable(b) || cadenceDivides(a, b) || cadenceDivides(b, a)
}
