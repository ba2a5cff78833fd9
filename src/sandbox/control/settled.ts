import type { DeliveryRecord } from '../records.ts'
import type { ControlDeps } from './call.ts'

/** Whether anything is still on its way; `failing` ones have been tried and will be tried again. */
export interface SettledState {
  readonly settled: boolean
  readonly advancing: boolean
  readonly pending: number
  readonly failing: number
  readonly held: number
}

/**
 * Of one test clock, or of everything. Held deliveries and retries after a failure do not unsettle; what is under way to an
 * endpoint that wants nothing any more does.
 */
export function settledState(
  deps: Pick<ControlDeps, 'context' | 'time' | 'deliverer'>,
  clock: string | null,
): SettledState {
  const { store } = deps.context()
  const clocks = clock === null ? [...store.all('clocks')].map((record) => record.id) : [clock]
  const advancing = clocks.some((id) => deps.time.isBusy(id))
  const isOfClock = (delivery: DeliveryRecord): boolean =>
    clock === null || store.get('events', delivery.event)?._clock === clock
  const waiting = [...store.all('endpoints')]
    .flatMap((endpoint) => store.by('deliveries', 'pending', endpoint.id))
    .filter(isOfClock)
  const held = waiting.filter((delivery) => delivery.held).length
  const failing = waiting.filter((delivery) => !delivery.held && delivery.attempts > 0).length
  const dropped = deps.deliverer
    .flying()
    .flatMap((id) => store.get('deliveries', id) ?? [])
    .filter((delivery) => delivery.state !== 'pending' && isOfClock(delivery)).length
  const pending = waiting.length - held - failing + dropped
  return { settled: !advancing && pending === 0, advancing, pending, failing, held }
}
