import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { rulesNamedIn } from '../../scripts/check-rules.ts'

const root = new URL('../../', import.meta.url)
const page = await readFile(new URL('docs/billing-rules.md', root), 'utf8')
const rules = [...page.matchAll(/^(\d+)\. ([\s\S]*?)(?=^\d+\. |^## )/gm)].map(([, number, text = '']) => ({
  number: Number(number),
  text,
}))

test('the page has every rule once, in order', () => {
  expect(rules.map((r) => r.number)).toEqual(Array.from({ length: 33 }, (_, i) => i + 1))
})

test('what a rule names as its proof is a test that names the rule', async () => {
  for (const { number, text } of rules) {
    for (const [, file = ''] of text.matchAll(/`(test\/[^`]+)`/g)) {
      const source = await readFile(new URL(file, root), 'utf8')
      expect(rulesNamedIn(source), `${file} for rule ${number}`).toContain(number)
    }
  }
})
