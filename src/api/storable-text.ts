import { DomainError } from '../domain/errors.ts'

type Flaw = 'nul' | 'surrogate'

function flawOf(text: string): Flaw | null {
  if (text.includes('\0')) return 'nul'
  return /\p{Surrogate}/u.test(text) ? 'surrogate' : null
}

interface Found {
  readonly path: string
  readonly flaw: Flaw
}

function findFlaw(value: unknown, path: string): Found | null {
  if (typeof value === 'string') {
    const flaw = flawOf(value)
    return flaw && { path, flaw }
  }
  if (typeof value !== 'object' || value === null) return null
  for (const [key, inner] of Object.entries(value)) {
    const here = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const flaw = flawOf(key)
    const found = flaw ? { path: here.replaceAll(/\0|\p{Surrogate}/gu, ''), flaw } : findFlaw(inner, here)
    if (found !== null) return found
  }
  return null
}

/**
 * Refuses text that PostgreSQL cannot store, where it enters: a NUL character, or half of a surrogate pair.
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
  const detail = `${path} holds half of a surrogate pair, which is no character; remove it.`
  throw new DomainError('validation_failed', detail, { field: path })
}
