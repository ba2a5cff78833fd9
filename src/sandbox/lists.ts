import type { Context } from './context.ts'
import { noSuch, refuse } from './errors.ts'
import { present } from './present.ts'
import type { Table, Tables } from './tables.ts'

/** The reply to a list request. */
export interface ListPage {
  readonly object: 'list'
  readonly url: string
  readonly has_more: boolean
  readonly data: readonly object[]
}

interface PageParams {
  readonly limit?: number
  readonly starting_after?: string | null
  readonly ending_before?: string | null
}

interface Listing<T extends Table> {
  readonly table: T
  readonly url: string
  readonly kind: string
  readonly filter: (record: Tables[T]) => boolean
  /** A narrower set to look through, oldest first, where an index has one. */
  readonly among?: readonly Tables[T][]
}

function take<T>(records: Iterable<T>, filter: (record: T) => boolean, count: number): T[] {
  const found: T[] = []
  for (const record of records) {
    if (!filter(record)) continue
    found.push(record)
    if (found.length === count) break
  }
  return found
}

function source<T extends Table>(ctx: Context, listing: Listing<T>, params: PageParams): Iterable<Tables[T]> {
  const { starting_after: after, ending_before: before } = params
  const { table, kind, among } = listing
  if (after && before) {
    throw refuse('Received both starting_after and ending_before parameters. Please pass in only one.')
  }
  for (const [id, param] of [
    [after, 'starting_after'],
    [before, 'ending_before'],
  ] as const) {
    if (id && ctx.store.get(table, id) === undefined) throw noSuch(kind, id, param)
  }
  if (among === undefined) {
    return before ? ctx.store.newerThan(table, before) : ctx.store.newestFirst(table, after ?? undefined)
  }
  const at = among.findIndex((record) => record.id === (before ?? after))
  if (before) return among.slice(at + 1)
  return (after ? among.slice(0, Math.max(at, 0)) : among).toReversed()
}

/** One page, newest first; `ending_before` gives the page next to the cursor [stripe docs: pagination]. */
export function listPage<T extends Table>(ctx: Context, listing: Listing<T>, params: PageParams): ListPage {
  const limit = params.limit ?? 10
  const found = take(source(ctx, listing, params), listing.filter, limit + 1)
  const records = found.slice(0, limit)
  if (params.ending_before) records.reverse()
  return {
    object: 'list',
    url: listing.url,
    has_more: found.length > limit,
    data: records.map((record) => present(ctx, listing.table, record)),
  }
}

/** A page of a list that exists only as an array, in its own order. */
export function pageOf(url: string, items: readonly { readonly id: string }[], params: PageParams): ListPage {
  const limit = params.limit ?? 10
  const cursor = params.starting_after ?? params.ending_before
  const at = items.findIndex((item) => item.id === cursor)
  if (cursor && at < 0)
    throw noSuch('object', cursor, params.starting_after ? 'starting_after' : 'ending_before')
  const start = params.ending_before ? Math.max(0, at - limit) : at + 1
  const end = params.ending_before ? at : start + limit
  const more = params.ending_before ? start > 0 : end < items.length
  return { object: 'list', url, has_more: more, data: items.slice(start, end) }
}
