import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findings } from './contract.ts'
import type { AuditTarget, Check, Findings } from './contract.ts'

interface Pattern {
  readonly kind: string
  readonly pattern: RegExp
  /** Whether what looks like it is it. */
  readonly isIt?: (found: string) => boolean
}

const patterns: readonly Pattern[] = [
  { kind: 'a key of Stripe', pattern: /\b[srp]k_(?:test|live)_\w{4,}/g },
  { kind: 'a signing secret', pattern: /\bwhsec_\w{6,}/g },
  { kind: 'an API key', pattern: /\bper_[\w-]{20,}/g },
  { kind: 'a client secret', pattern: /\b(?:pi|seti|cs)_\w+_secret_\w+/g },
  { kind: 'an e-mail address', pattern: /[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+/g, isIt: isAddress },
  {
    kind: 'a card number',
    pattern: /(?<![\w.-])(?:4\d{15}|5[1-5]\d{14}|3[47]\d{13}|6011\d{12})(?![\w.-])/g,
    isIt: isLuhn,
  },
  { kind: 'payment data', pattern: /"(?:last4|exp_month|exp_year|cvc|iban|fingerprint)\\?"/g },
]

/** Not a version of a package in a path, a connection string on loopback, nor the name of a type in an answer of gRPC. */
function isAddress(found: string): boolean {
  if (found.endsWith('@type.googleapis.com')) return false
  return !/(?:@|%40)\d/.test(found) && /\.[a-z]{2,}$/i.test(found)
}

function isLuhn(digits: string): boolean {
  const sum = Array.from(digits)
    .toReversed()
    .reduce((total, digit, index) => {
      const value = Number(digit) * (index % 2 === 1 ? 2 : 1)
      return total + (value > 9 ? value - 9 : value)
    }, 0)
  return sum % 10 === 0
}

/** Looks for what may be in no log and no history. What is found is named by its kind: a report is a log too. */
export interface Search {
  readonly in: (place: string, text: string) => void
}

export function searchFor(found: Findings, secrets: readonly string[]): Search {
  // As JSON has them too.
  const needles = secrets.filter((secret) => secret.length >= 6)
  return {
    in: (place, text) => {
      found.examine()
      if (needles.some((needle) => text.includes(needle)))
        found.claim(false, () => `${place} holds a secret of the run`)
      for (const { kind, pattern, isIt } of patterns)
        for (const [match] of text.matchAll(pattern))
          if (isIt === undefined || isIt(match))
            found.claim(false, () => `${place} holds ${kind} (${match.length} characters)`)
    },
  }
}

/** Every line of every log: nothing secret, and no error that was not announced. */
export async function checkLogs({ logFolder, secrets, announced }: AuditTarget): Promise<Check> {
  const found = findings('logs hold no secrets and no errors but those announced')
  const search = searchFor(found, secrets)
  const expected = new Set(announced?.errors)
  const files = await readdir(logFolder, { recursive: true, withFileTypes: true })
  for (const file of files) {
    if (!file.isFile()) continue
    const path = join(file.parentPath, file.name)
    let number = 0
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
      number += 1
      const place = `${file.name}:${number}`
      search.in(place, line)
      const error = errorOf(line)
      if (error === null || error.some((word) => expected.has(word))) continue
      found.claim(false, () => `${place} is an error: ${error.join(', ').slice(0, 200)}`)
    }
  }
  return found.check()
}

const ERROR_LEVEL = 50

/** Codes and messages of a line of ours at level error or above; null for other lines. */
function errorOf(line: string): readonly string[] | null {
  if (!line.startsWith('{')) return null
  try {
    const parsed = JSON.parse(line) as Readonly<Record<string, unknown>>
    const isError = typeof parsed['level'] === 'number' && parsed['level'] >= ERROR_LEVEL
    return isError ? wordsOf(parsed) : null
  } catch {
    return null
  }
}

const telling = new Set(['code', 'type', 'name', 'kind', 'message', 'msg'])

/** The error may be wrapped: those of its causes count too. */
function wordsOf(value: object): readonly string[] {
  return Object.entries(value).flatMap(([key, member]) => {
    if (typeof member === 'object' && member !== null) return wordsOf(member)
    return telling.has(key) && typeof member === 'string' ? [member] : []
  })
}
