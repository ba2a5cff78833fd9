import { fastifySwagger } from '@fastify/swagger'
import { fastifySwaggerUi } from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { withTagMappings } from './tag-mappings.ts'
import { problemResponse } from '../schemas/common.ts'

/** In the order in which one meets them: what is sold, to whom, what comes of it, and then what keeps it going. */
const TAGS = [
  'Events',
  'Meters',
  'Features',
  'Plans',
  'Customers',
  'Subjects',
  'Subscriptions',
  'Invoices',
  'Access',
  'Checkout and the portal',
  'Billing',
  'Apps',
  'Test clocks',
  'Workflows',
  'Reconciliation',
  'Info',
  'Health',
]

const logo =
  '<svg xmlns="http://www.w3.org/2000/svg" width="140" height="40"><text x="0" y="28" fill="#fff" ' +
  'font-family="sans-serif" font-size="24">Perennial</text></svg>'

/** The OpenAPI 3.1 document at /api/openapi.json and the reference page at /docs; both come from the routes' schemas. */
export const openapi = fp(async (app) => {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Perennial',
        version: '1.0.0',
        description:
          'Usage-based billing. Speaks the OpenMeter v1 API; what is ours stands beside it in the same style.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: TAGS.map((name) => ({ name })),
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
      security: [{ apiKey: [] }],
    },
    convertConstToEnum: false,
    // Every call may fail, and in one shape: said once here, not on each route.
    transform: ({ schema, url, route }) => {
      const { response } = (schema ?? {}) as { readonly response?: object }
      const isPublic = route.config?.scope === 'public'
      return {
        schema: {
          ...schema,
          ...(response && { response: { ...response, default: problemResponse } }),
          ...(isPublic && { security: [] }),
        },
        url,
      }
    },
    transformObject: (made) =>
      withTagMappings('openapiObject' in made ? made.openapiObject : made.swaggerObject),
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, i) =>
        typeof json['$id'] === 'string' ? json['$id'] : `def-${i}`,
    },
  })
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Perennial API' },
    logo: { type: 'image/svg+xml', content: logo },
  })
  for (const url of ['/', '/api/v1']) {
    app.get(url, { config: { scope: 'public' }, schema: { hide: true } }, async (_request, reply) =>
      reply.redirect('/docs'),
    )
  }
  app.get('/api/openapi.json', { config: { scope: 'public' }, schema: { hide: true } }, async () =>
    app.swagger(),
  )
})
