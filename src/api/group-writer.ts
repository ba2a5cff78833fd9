import { DomainError } from '../domain/errors.ts'

interface Grouping<Item, Result> {
  /** Groups that are stored at one time. */
  readonly writers: number
  /** Of a group, in the measure of `sizeOf`; one item may be larger. */
  readonly sizeMax: number
  readonly sizeOf: (item: Item) => number
  /** Stores a group in one transaction, and answers for each item in its place. */
  readonly store: (items: readonly Item[]) => Promise<readonly Result[]>
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Stores what concurrent requests bring in groups: no request waits for others to come, only for those that are being
 * written. A group that fails by what is in it is halved, so that what fails does so alone.
 */
export function groupWriter<Item, Result>(grouping: Grouping<Item, Result>): (item: Item) => Promise<Result> {
  const queue: Waiting<Item, Result>[] = []
  let writing = 0
  const write = async (group: readonly Waiting<Item, Result>[]): Promise<void> => {
    writing += 1
    await storeGroup(grouping, group)
    writing -= 1
    pump()
  }
  const pump = (): void => {
    if (writing < grouping.writers && queue.length > 0) void write(takeGroup(grouping, queue))
  }
  return async (item) =>
    await new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      pump()
    })
}

/** The first of the queue, and what follows as long as there is room. */
function takeGroup<Item, Result>(
  { sizeMax, sizeOf }: Grouping<Item, Result>,
  queue: Waiting<Item, Result>[],
): readonly Waiting<Item, Result>[] {
  let count = 0
  let size = 0
  for (const { item } of queue) {
    size += sizeOf(item)
    if (count > 0 && size > sizeMax) break
    count += 1
  }
  return queue.splice(0, count)
}

/** Never rejects: every caller is told. */
async function storeGroup<Item, Result>(
  grouping: Grouping<Item, Result>,
  group: readonly Waiting<Item, Result>[],
): Promise<void> {
  try {
    const results = await grouping.store(group.map(({ item }) => item))
    for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result)
  } catch (error) {
    if (group.length === 1 || !mayBeOfOne(error)) for (const { reject } of group) reject(error)
    else for (const half of halvesOf(group)) await storeGroup(grouping, half)
  }
}

/** One that fails among a thousand costs twenty transactions, not a thousand. */
function halvesOf<Item>(group: readonly Item[]): readonly (readonly Item[])[] {
  const middle = Math.ceil(group.length / 2)
  return [group.slice(0, middle), group.slice(middle)]
}

/** SQLSTATE classes of what is wrong with the values, their size, or a race. A server that is down is so for all. */
const ofOne = ['0A', '22', '23', '40', '54']

function mayBeOfOne(error: unknown): boolean {
  // Ours, of what was sent: it did not come to the database.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof DomainError) return true
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && ofOne.includes(code.slice(0, 2))
}
