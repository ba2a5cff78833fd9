import { DomainError } from './errors.ts'

/**
 * Splits a total over known weights by the largest remainder; a tie goes to the earlier part, so that the split is
 * stable. The parts always add up to the total (rule 19).
 */
export function allocate(total: bigint, weights: readonly bigint[]): readonly bigint[] {
  const sum = weights.reduce((a, b) => a + b, 0n)
  if (weights.some((w) => w < 0n) || sum === 0n) {
    throw new DomainError(
      'internal_error',
      'An amount is split by weights that are not negative and not all zero',
    )
  }
  const size = total < 0n ? -total : total
  const shares = weights.map((w, index) => ({ index, floor: (size * w) / sum, rest: (size * w) % sum }))
  const missing = size - shares.reduce((a, s) => a + s.floor, 0n)
  const byRest = shares.toSorted((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1))
  const raised = new Set(byRest.slice(0, Number(missing)).map((s) => s.index))
  return shares.map(({ index, floor }) => {
    const part = floor + (raised.has(index) ? 1n : 0n)
    return total < 0n ? -part : part
  })
}
