import type { Aggregation } from './meters.ts'

/**
 * Whether usage can be billed before its period ends: only what can never shrink again. A SUM needs values that are
 * not negative; LATEST, AVG and MIN wait for the period's end (rule 10).
 */
export function canBillBeforePeriodEnd(aggregation: Aggregation, isNonNegative: boolean): boolean {
  switch (aggregation) {
    case 'COUNT':
    case 'UNIQUE_COUNT':
    case 'MAX':
      return true
    case 'SUM':
      return isNonNegative
    case 'AVG':
    case 'MIN':
    case 'LATEST':
      return false
  }
}
