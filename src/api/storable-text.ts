import { DomainError } from '../domain/errors.ts'
import { textFlaw } from '../domain/text-flaw.ts'

type Flaw = NonNullable<ReturnType<typeof textFlaw>> | 'depth'

/** Nothing that we take is nested as deep, and deeper recursion would end the stack. */
const DEPTH_MAX = 100
const PATH_SHOWN = 100

interface Found {
  readonly path: string
  readonly flaw: Flaw
}

function findFlaw(value: unknown, path: string, depth = 0): Found | null {
  if (typeof value === 'string') {
    const flaw = textFlaw(value)
    return flaw && { path, flaw }
  }
  if (typeof value !== 'object' || value === null) return null
  if (depth === DEPTH_MAX) return { path: path.slice(0, PATH_SHOWN), flaw: 'depth' }
  for (const [key, inner] of Object.entries(value)) {
    const here = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const flaw = textFlaw(key)
    const found = flaw
      ? { path: here.replaceAll(/\0|\p{Surrogate}/gu, ''), flaw }
      : findFlaw(inner, here, depth + 1)
    if (found !== null) return found
  }
  return null
}

/**
 * Refuses text that PostgreSQL cannot store, where it enters: a NUL character, or half of a surrogate pair; and what is
 * nested so deep that we cannot look for them.
 * @param field What the value is called, e.g. `filter`; empty for a body, whose fields are named by themselves.
 * @throws DomainError nul_character, validation_failed
 */
export function requireStorable(value: unknown, field = ''): void {
  const found = findFlaw(value, field)
  if (found === null) return
  const { path, flaw } = found
  if (flaw === 'nul') {
    const detail = `${path} holds a NUL character, which cannot be stored; remove it.`
    throw new DomainError('nul_character', detail, { field: path })
  }
  if (flaw === 'depth') {
    const detail = `${path} is nested more than ${DEPTH_MAX} deep.`
    throw new DomainError('validation_failed', detail, { field: path })
  }
  const detail = `${path} holds half of a surrogate pair, which is no character; remove it.`
  throw new DomainError('validation_failed', detail, { field: path })
}
