// Counts the traces and prices them, from the files alone: nothing here is imported from the product, every number is a
// BigInt, and prices are billionths of a dollar. What it prints is kept in expected.json:
//   node examples/llm-tokens/expected.mjs > examples/llm-tokens/expected.json
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const FILES = {
  conversation: 'AzureLLMInferenceTrace_conv.csv.gz',
  code: 'AzureLLMInferenceTrace_code.csv.gz',
}
const BASE_FEE = 25_000_000_000n
const CONTEXT_TIERS = [
  { upTo: 1_000_000n, unit: 0n },
  { upTo: 20_000_000n, unit: 3_000n },
  { upTo: null, unit: 2_500n },
]
const GENERATED_TIERS = [
  { upTo: 250_000n, unit: 15_000n },
  { upTo: null, unit: 12_000n, flat: 2_000_000_000n },
]
const PER_DOLLAR = 1_000_000_000n
const PER_CENT = 10_000_000n

function countRows(file) {
  const text = gunzipSync(readFileSync(new URL(file, import.meta.url))).toString('latin1')
  const [, ...rows] = text.split('\n').filter((row) => row.trim() !== '')
  const sum = (column) => rows.reduce((total, row) => total + BigInt(row.trim().split(',')[column]), 0n)
  return { requests: BigInt(rows.length), context: sum(1), generated: sum(2) }
}

/** Half away from zero; every amount here is positive. */
const toCents = (billionths) => (billionths + PER_CENT / 2n) / PER_CENT

const dollars = (cents) => `${cents / 100n}.${(cents % 100n).toString().padStart(2, '0')}`

function decimal(billionths) {
  const fraction = (billionths % PER_DOLLAR).toString().padStart(9, '0').replace(/0+$/, '')
  return fraction === '' ? `${billionths / PER_DOLLAR}` : `${billionths / PER_DOLLAR}.${fraction}`
}

const part = (name, quantity, unit) => ({ name, quantity, unit, cents: toCents(quantity * unit) })

/** Each tier prices the slice of the tokens that lies in it; its flat fee is charged once it is entered. */
function graduated(name, tokens, tiers) {
  const parts = []
  let from = 0n
  for (const [index, { upTo, unit, flat }] of tiers.entries()) {
    if (index > 0 && tokens <= from) break
    const slice = (upTo === null || tokens < upTo ? tokens : upTo) - from
    parts.push(part(`${name}: tier ${index + 1}`, slice, unit))
    if (flat !== undefined) parts.push(part(`${name}: tier ${index + 1} flat fee`, 1n, flat))
    from = upTo
  }
  return line(name, tokens, parts)
}

function line(name, quantity, parts) {
  const cents = parts.reduce((total, { cents }) => total + cents, 0n)
  const details = parts.map(({ name, quantity, unit, cents }) => ({
    name,
    quantity: quantity.toString(),
    perUnitAmount: decimal(unit),
    total: dollars(cents),
  }))
  return { cents, shown: { name, quantity: quantity.toString(), total: dollars(cents), details } }
}

function invoice(lines) {
  const cents = lines.reduce((total, { cents }) => total + cents, 0n)
  return { totalCents: cents.toString(), total: dollars(cents), lines: lines.map(({ shown }) => shown) }
}

function expectationsOf(file) {
  const { requests, context, generated } = countRows(file)
  const baseFee = line('Base fee', 1n, [part('Base fee', 1n, BASE_FEE)])
  const usage = {
    requests: requests.toString(),
    context: context.toString(),
    generated: generated.toString(),
  }
  const second = [
    baseFee,
    graduated('Context tokens', context, CONTEXT_TIERS),
    graduated('Generated tokens', generated, GENERATED_TIERS),
  ]
  return { usage, invoices: [invoice([baseFee]), invoice(second)] }
}

const expected = Object.fromEntries(
  Object.entries(FILES).map(([subject, file]) => [subject, expectationsOf(file)]),
)
process.stdout.write(`${JSON.stringify(expected, null, 2)}\n`)
