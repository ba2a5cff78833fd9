import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const page = await readFile(new URL('docs/stripe.md', root), 'utf8')
const table = page.slice(page.indexOf('| document | promised |'))
const rows = table
  .slice(0, table.indexOf('\n\n'))
  .split('\n')
  .slice(2)
  .map((row) => row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))

test('each of the five documents has rows, and a row has its four cells', () => {
  for (const row of rows) expect(row, row.join(' | ')).toHaveLength(4)
  const named = new Set(rows.flatMap(([documents = '']) => documents.split(', ')))
  expect([...named].toSorted((a, b) => a.localeCompare(b))).toEqual(['000', '001', '002', '003', '004'])
})

test('what keeps a promise is there', () => {
  for (const [, promise, keptBy = ''] of rows) {
    for (const [, file = ''] of keptBy.matchAll(/`(src\/[^`]+)`/g)) {
      expect(existsSync(new URL(file, root)), `${file}, for: ${promise}`).toBe(true)
    }
  }
})

test('what shows a promise is a test of that name', async () => {
  for (const [, promise, , shownBy = ''] of rows) {
    if (shownBy === '–') continue
    const [, file = '', title = ''] = /^`(test\/[^`]+)`: (.+)$/.exec(shownBy) ?? []
    const source = await readFile(new URL(file, root), 'utf8')
    expect(source.includes(title) && title !== '', `${shownBy}, for: ${promise}`).toBe(true)
  }
})
