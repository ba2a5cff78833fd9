/** One page of a list, as a query takes it; pages count from 1. */
export interface PageRequest {
  readonly page: number
  readonly pageSize: number
  /** Instead of whole pages: how many rows to pass over. */
  readonly offset?: number
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly totalCount: number
}

export interface Ordering<Column extends string> {
  readonly orderBy: Column
  readonly order: 'asc' | 'desc'
}

/** Rows before the page. */
export function offsetOf({ page, pageSize, offset }: PageRequest): number {
  return offset ?? (page - 1) * pageSize
}

/** A document for a jsonb column: pg would write a bare array as an SQL array. */
export function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value)
}
