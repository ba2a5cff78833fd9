// The workflow bundle's entry point: every exported function is a workflow type.
export { invoice } from './invoice.ts'
export { subscription } from './subscription.ts'
export { testClock } from './test-clock.ts'
