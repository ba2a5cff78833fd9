import fp from 'fastify-plugin'
import { DomainError } from '../../domain/errors.ts'

/** The path of the first text in `value` that holds a NUL character, which PostgreSQL cannot store. */
export function findNul(value: unknown, path = ''): string | null {
  if (typeof value === 'string') return value.includes('\0') ? path : null
  if (typeof value !== 'object' || value === null) return null
  for (const [key, inner] of Object.entries(value)) {
    const here = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const found = key.includes('\0') ? here.replaceAll('\0', '') : findNul(inner, here)
    if (found !== null) return found
  }
  return null
}

/** JSON bodies: an empty one is none, and a NUL character is refused where it enters. */
export const jsonBodies = fp(async (app) => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text: string, done) => {
    if (text.trim() === '') return done(null, undefined)
    void parse(request, text, (error, body) => {
      if (error !== null) return done(error, undefined)
      const field = text.includes('\\u0000') ? findNul(body) : null
      if (field === null) return done(null, body)
      done(
        new DomainError(
          'nul_character',
          `${field} holds a NUL character, which cannot be stored; remove it.`,
          { field },
        ),
        undefined,
      )
    })
  })
  app.addHook('onRequest', async (request) => {
    if (request.url.includes('%00')) {
      throw new DomainError('nul_character', 'The address holds a NUL character (%00); remove it.', {
        field: 'url',
      })
    }
  })
})
