import { expect, test } from 'vitest'
import { heldLookup } from '../../src/api/held-lookup.ts'

const HOUR_MS = 3_600_000

interface Answer {
  readonly promise: Promise<string | null>
  readonly resolve: (value: string | null) => void
}

function unanswered(): Answer {
  let resolve: Answer['resolve'] = () => {}
  const promise = new Promise<string | null>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** Looks up what is in `known`, and counts how often it was asked. */
function counted(heldMs: number) {
  const known = new Map<string, string>()
  const asked: string[] = []
  const lookup = heldLookup(heldMs, async (name) => {
    asked.push(name)
    return await Promise.resolve(known.get(name) ?? null)
  })
  return { known, asked, ...lookup }
}

test('what was found holds, for who comes while it is looked up as well', async () => {
  const { known, asked, find } = counted(HOUR_MS)
  known.set('a', 'one')
  expect(await Promise.all([find('a'), find('a')])).toEqual(['one', 'one'])
  known.set('a', 'two')
  expect(await find('a')).toBe('one')
  expect(asked).toEqual(['a'])
})

test('asked for as it is now, it is looked up again, and holds as it is', async () => {
  const { known, find, findNow } = counted(HOUR_MS)
  known.set('a', 'one')
  await find('a')
  known.set('a', 'two')
  expect(await findNow('a')).toBe('two')
  expect(await find('a')).toBe('two')
})

test('what is asked for all the time is looked up before it holds no longer, and nobody waits for that', async () => {
  let nowMs = 0
  const asked: Answer[] = []
  const { find } = heldLookup(
    1000,
    async () => {
      const answer = unanswered()
      asked.push(answer)
      return await answer.promise
    },
    () => nowMs,
  )
  const first = find('a')
  asked[0]?.resolve('one')
  expect(await first).toBe('one')
  nowMs = 499
  expect(await find('a')).toBe('one')
  expect(asked).toHaveLength(1)
  nowMs = 500
  expect(await Promise.all([find('a'), find('a')]), 'while it is looked up').toEqual(['one', 'one'])
  expect(asked).toHaveLength(2)
  asked[1]?.resolve('two')
  await expect.poll(async () => await find('a')).toBe('two')
  nowMs = 1499
  expect(await find('a'), 'it holds from when it was asked for').toBe('two')
  nowMs = 1500
  const third = find('a')
  asked.at(-1)?.resolve(null)
  expect(await third).toBeNull()
})

test('what is revoked meanwhile is known no longer than it holds, also where looking it up ahead fails', async () => {
  let nowMs = 0
  let answer: () => Promise<string | null> = async () => await Promise.resolve('one')
  const { find } = heldLookup(
    1000,
    async () => await answer(),
    () => nowMs,
  )
  expect(await find('a')).toBe('one')
  nowMs = 600
  answer = async () => await Promise.reject(new Error('away'))
  expect(await find('a')).toBe('one')
  nowMs = 1000
  await expect(find('a')).rejects.toThrow('away')
  answer = async () => await Promise.resolve('one')
  expect(await find('a')).toBe('one')
  nowMs = 1600
  answer = async () => await Promise.resolve(null)
  expect(await find('a')).toBe('one')
  await expect.poll(async () => await find('a')).toBeNull()
})

test('nothing is remembered of names that nobody knows, nor longer than it holds', async () => {
  const { known, asked, find } = counted(HOUR_MS)
  expect(await find('a')).toBeNull()
  known.set('a', 'one')
  expect(await find('a')).toBe('one')
  expect(asked).toEqual(['a', 'a'])
  const unheld = counted(0)
  unheld.known.set('b', 'one')
  await unheld.find('b')
  await unheld.find('b')
  expect(unheld.asked).toEqual(['b', 'b'])
})

test('a look-up that failed is not remembered', async () => {
  let fails = true
  const { find } = heldLookup(HOUR_MS, async (name) => {
    if (fails) throw new Error('away')
    return await Promise.resolve(name)
  })
  await expect(find('a')).rejects.toThrow('away')
  fails = false
  expect(await find('a')).toBe('a')
})
