import { randomUUID } from 'node:crypto'

export interface BenchEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: { readonly tokens: number; readonly model: string }
}

export interface EventShape {
  /** How many customers send. */
  readonly subjects: number
  /** Over how long before now the events happened, in ms. */
  readonly spreadMs: number
}

const models = ['small', 'medium', 'large', 'embed']

/** Events of a language model's users: a number to sum and a group, ids that come in no order. */
export function makeEvents(count: number, { subjects, spreadMs }: EventShape): readonly BenchEvent[] {
  const now = Date.now()
  return Array.from({ length: count }, (_unused, index) => ({
    specversion: '1.0',
    id: randomUUID(),
    source: 'bench',
    type: 'inference',
    subject: `customer-${Math.floor(Math.random() * subjects)}`,
    time: new Date(now - Math.floor(Math.random() * spreadMs)).toISOString(),
    data: { tokens: 1 + ((index * 7919) % 4096), model: models[index % models.length] ?? '' },
  }))
}

export function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_unused, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}
