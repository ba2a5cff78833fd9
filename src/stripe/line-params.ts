import type { LineToSync } from './invoice-types.ts'

const maxDescription = 5000

export const cutDescription = (description: string): string => description.slice(0, maxDescription)

/** Stripe counts whole seconds, and refuses a period that ends before it starts. */
export const periodParams = ({ fromMs, toMs }: Pick<LineToSync, 'fromMs' | 'toMs'>) => ({
  start: Math.floor(fromMs / 1000),
  end: Math.floor(toMs / 1000),
})

export const taxParams = ({ taxCode, taxBehavior }: Pick<LineToSync, 'taxCode' | 'taxBehavior'>) => ({
  ...(taxCode !== undefined && { tax_code: taxCode }),
  ...(taxBehavior !== undefined && { tax_behavior: taxBehavior }),
})
