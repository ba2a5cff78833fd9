import type { Page, PageRequest } from '../db/page.ts'

const DEFAULT_PAGE_SIZE = 100

interface PageParameters {
  readonly page?: number
  readonly pageSize?: number
}

/** What a query asked for, or the first hundred. */
export function pageRequest({ page, pageSize }: PageParameters): PageRequest {
  return { page: page ?? 1, pageSize: pageSize ?? DEFAULT_PAGE_SIZE }
}

export interface PageAnswer<T> {
  items: T[]
  page: number
  pageSize: number
  totalCount: number
}

/** A page of rows as the contract answers it. */
export function presentPage<Row, T>(
  rows: Page<Row>,
  request: PageRequest,
  present: (row: Row) => T,
): PageAnswer<T> {
  return { items: rows.items.map(present), ...request, totalCount: rows.totalCount }
}

/** `ASC` and `DESC` of the contract; ascending where it is left out. */
export function direction(order: 'ASC' | 'DESC' | undefined): 'asc' | 'desc' {
  return order === 'DESC' ? 'desc' : 'asc'
}
