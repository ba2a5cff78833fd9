import { expect, test } from 'vitest'
import { heldLookup } from '../../src/api/held-lookup.ts'

const HOUR_MS = 3_600_000

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
