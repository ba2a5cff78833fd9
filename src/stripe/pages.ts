const PAGE_SIZE = 100
/** Stripe's clock and ours may differ by a little; a search that starts too late makes a second object. */
const CLOCK_SKEW_MS = 3_600_000

interface Paging {
  readonly limit: number
  readonly starting_after?: string
}
interface Page<T> {
  readonly data: readonly T[]
  readonly has_more: boolean
}

/** The pages of a list to its end. Search lags at Stripe; lists do not. Each page is a call of its own for the limiter. */
export async function* pagesOf<T extends { readonly id: string }>(
  list: (paging: Paging) => Promise<Page<T>>,
): AsyncGenerator<readonly T[]> {
  let after: string | undefined
  for (;;) {
    const page = await list({ limit: PAGE_SIZE, ...(after !== undefined && { starting_after: after }) })
    yield page.data
    after = page.data.at(-1)?.id
    if (!page.has_more || after === undefined) return
  }
}

/** The filter of a list for what was made since; null: everything. */
export function madeSince(createdMs: number | null): { created?: { gte: number } } {
  return createdMs === null ? {} : { created: { gte: Math.floor((createdMs - CLOCK_SKEW_MS) / 1000) } }
}
