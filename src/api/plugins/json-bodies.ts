import fp from 'fastify-plugin'
import { DomainError } from '../../domain/errors.ts'
import { requireStorable } from '../storable-text.ts'

/** Escapes are the only way in: a raw NUL is no JSON, and bytes that are no UTF-8 become U+FFFD. */
const suspiciousEscape = /\\u(?:0000|d[89a-f])/i

/** JSON bodies: an empty one is none, and text that cannot be stored is refused where it enters. */
export const jsonBodies = fp(async (app) => {
  const parse = app.getDefaultJsonParser('error', 'error')
  // Text is taken nowhere: without this it would reach the routes as one string.
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text: string, done) => {
    if (text.trim() === '') return done(null, undefined)
    void parse(request, text, (error, body) => {
      if (error !== null) return done(error, undefined)
      try {
        if (suspiciousEscape.test(text)) requireStorable(body)
        done(null, body)
      } catch (problem) {
        done(problem as DomainError, undefined)
      }
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
