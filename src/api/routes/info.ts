import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { currencyCodes } from '../../domain/currency.ts'
import { findSubject, listSubjects } from '../../db/stores/customers.ts'
import type { SubjectRow } from '../../db/stores/customers.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { presentCurrency } from '../presenters/currency.ts'
import { derivedId } from '../presenters/derived-id.ts'
import { instant } from '../presenters/without-nulls.ts'
import { Currency, Subject } from '../schemas/info.ts'
import { ref } from '../schemas/reference.ts'

/** A subject is no row of its own here: it is there while a customer names it. */
function presentSubject({ customerId, subjectKey, customerName, createdAt }: SubjectRow): Subject {
  const at = instant(createdAt)
  return {
    id: derivedId(customerId, subjectKey),
    key: subjectKey,
    displayName: customerName,
    createdAt: at,
    updatedAt: at,
  }
}

/** What the installation knows: currencies, and the subjects of its customers. */
export function infoRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  const currencies = currencyCodes.map(presentCurrency)
  return async (app) => {
    app.get(
      '/api/v1/info/currencies',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listCurrencies',
          tags: ['Info'],
          description: 'All currencies that can be billed, with their names, symbols and decimal places.',
          response: { 200: Type.Array(ref(Currency)) },
        },
      },
      async () => currencies,
    )

    app.get(
      '/api/v1/subjects',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listSubjects',
          tags: ['Subjects'],
          description:
            'The subject keys of all customers, at most 10,000. Subjects come and go with the customer ' +
            'that names them.',
          response: { 200: Type.Array(ref(Subject)) },
        },
      },
      async () => (await listSubjects(deps.db)).map(presentSubject),
    )

    app.get(
      '/api/v1/subjects/:subjectIdOrKey',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getSubject',
          tags: ['Subjects'],
          description: 'By key; `not_found` (404) while no customer names it.',
          params: Type.Object({ subjectIdOrKey: Type.String() }),
          response: { 200: ref(Subject) },
        },
      },
      async ({ params: { subjectIdOrKey } }) =>
        presentSubject(found(await findSubject(deps.db, subjectIdOrKey), 'subject', subjectIdOrKey)),
    )
  }
}
