import { DomainError } from './errors.ts'

/** A member of an object by name, or an element of an array by position. */
export type PathSegment = string | number

/** Paths longer than this are refused: no event is that deep. */
const SEGMENTS_MAX = 16
const LENGTH_MAX = 512

const dotName = /\.([A-Za-z_][A-Za-z0-9_-]*)/y
const bracketIndex = /\[(0|[1-9][0-9]{0,8})\]/y
const bracketName = /\[(?:'((?:[^'\\]|\\['\\])+)'|"((?:[^"\\]|\\["\\])+)")\]/y

/**
 * Parses the documented subset of JSONPath: `$`, `.name`, `['name']`, `["name"]` and `[0]`. One parser feeds both the
 * check of an event in JavaScript and the query in SQL, so that they cannot disagree.
 * @throws DomainError `invalid_json_path`, naming what is wrong and where
 */
export function parseJsonPath(text: string, field?: string): readonly PathSegment[] {
  if (!text.startsWith('$')) throw problem(text, 'it has to start with $, the data of the event', field)
  if (text.length > LENGTH_MAX)
    throw problem(`${text.slice(0, 32)}…`, `it is longer than ${LENGTH_MAX} characters`, field)
  const segments: PathSegment[] = []
  let at = 1
  while (at < text.length) {
    const step = stepAt(text, at)
    if (step === null) throw problem(text, whatIsWrong(text, at), field)
    segments.push(step.segment)
    at = step.end
  }
  if (segments.length > SEGMENTS_MAX) throw problem(text, `it has more than ${SEGMENTS_MAX} steps`, field)
  return segments
}

/** The value at a path, or undefined where the document has none. Arrays have elements only, objects members only. */
export function valueAt(document: unknown, path: readonly PathSegment[]): unknown {
  let value = document
  for (const segment of path) {
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value) !== (typeof segment === 'number')) return undefined
    if (!Object.hasOwn(value, segment)) return undefined
    value = (value as Readonly<Record<PathSegment, unknown>>)[segment]
  }
  return value
}

/** Writes segments as a path that parses to the same segments. */
export function formatJsonPath(path: readonly PathSegment[]): string {
  const parts = path.map((segment) => {
    if (typeof segment === 'number') return `[${segment}]`
    if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(segment)) return `.${segment}`
    return `['${segment.replace(/['\\]/g, (character) => `\\${character}`)}']`
  })
  return `$${parts.join('')}`
}

interface Step {
  readonly segment: PathSegment
  readonly end: number
}

function stepAt(text: string, at: number): Step | null {
  for (const pattern of [dotName, bracketIndex, bracketName]) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) continue
    const end = at + match[0].length
    if (pattern === bracketIndex) return { segment: Number(match[1]), end }
    return { segment: (match[1] ?? match[2] ?? '').replace(/\\(.)/gs, '$1'), end }
  }
  return null
}

function whatIsWrong(text: string, at: number): string {
  const rest = text.slice(at)
  const where = `at position ${at + 1}`
  if (rest.startsWith('..')) return `recursive descent (..) is not supported, ${where}`
  if (rest.startsWith('.*') || rest.startsWith('[*')) return `wildcards are not supported, ${where}`
  if (rest.startsWith('[?')) return `filters are not supported, ${where}`
  if (/^\[-?\d*:/.test(rest)) return `slices are not supported, ${where}`
  if (/^\[-\d/.test(rest)) return `positions from the end are not supported, ${where}`
  if (rest === '.') return `a name is missing after the last dot`
  if (rest.startsWith('[') && !rest.includes(']')) return `a closing ] is missing, ${where}`
  if (rest.startsWith('.'))
    return `${JSON.stringify(rest.slice(0, 12))} is not a plain name, ${where}: write ['name']`
  return `${JSON.stringify(rest.slice(0, 12))} is not a step, ${where}: use .name, ['name'] or [0]`
}

function problem(text: string, why: string, field: string | undefined): DomainError {
  const message = `${JSON.stringify(text)} is not a path we can read: ${why}`
  return new DomainError('invalid_json_path', message, field === undefined ? undefined : { field })
}
