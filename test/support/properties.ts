import { configureGlobal } from 'fast-check'

/**
 * Runs of a property; `PROPERTY_TIMES=100` makes each so many times longer. The seed stays the same from run to run, so that
 * a failure is of the change that it comes with; `PROPERTY_SEED=random`, or a number, looks elsewhere.
 */
export const runs = (count: number): number => count * Number(process.env['PROPERTY_TIMES'] ?? 1)

const given = process.env['PROPERTY_SEED'] ?? '20260101'
if (given === 'random') configureGlobal({ numRuns: runs(100) })
else configureGlobal({ numRuns: runs(100), seed: Number(given) })
