import { Ajv } from 'ajv'
import type { AnySchema } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifyServerOptions } from 'fastify'

export interface SchemaCompilerOptions {
  readonly checkResponses: boolean
}

type SchemaController = NonNullable<FastifyServerOptions['schemaController']>
type Factories = NonNullable<SchemaController['compilersFactory']>
type NamedSchemas = Readonly<Record<string, AnySchema>>

interface ValidatedPart {
  readonly schema: AnySchema
  readonly httpPart?: string
}
interface SerializedAnswer {
  readonly schema: AnySchema
  readonly method: string
  readonly url: string
  readonly httpStatus?: string
}

function createAjv(named: NamedSchemas, coerceTypes: boolean | 'array'): Ajv {
  const ajv = new Ajv({ discriminator: true, useDefaults: true, strict: false, coerceTypes })
  addFormats.default(ajv)
  for (const schema of Object.values(named)) ajv.addSchema(schema)
  return ajv
}

/** Text becomes numbers and lists in query and path only: in a body, Fastify's default would read null as '' and '1' as 1. */
function buildValidator(named: NamedSchemas) {
  const bodies = createAjv(named, false)
  const texts = createAjv(named, 'array')
  return ({ schema, httpPart }: ValidatedPart) => (httpPart === 'body' ? bodies : texts).compile(schema)
}

/** fast-json-stringify would silently drop what a schema forgot: answers are written as they are. */
function buildSerializer() {
  return () => (data: unknown) => JSON.stringify(data)
}

/** The same, but an answer that differs from its schema is an error. */
function buildCheckingSerializer(named: NamedSchemas) {
  const ajv = createAjv(named, false)
  return ({ schema, method, url, httpStatus }: SerializedAnswer) => {
    const validate = ajv.compile(schema)
    return (data: unknown) => {
      const text = JSON.stringify(data)
      if (validate(JSON.parse(text))) return text
      throw new Error(
        `${method} ${url} ${httpStatus ?? ''} differs from its schema: ${ajv.errorsText(validate.errors)}: ${text}`,
      )
    }
  }
}

/** How schemas become validators and writers of answers. */
export function schemaCompilers({ checkResponses }: SchemaCompilerOptions): SchemaController {
  const factories = {
    buildValidator,
    buildSerializer: checkResponses ? buildCheckingSerializer : buildSerializer,
  }
  // Fastify's type of a validator factory is the one of its own pool of validators.
  return { compilersFactory: factories as unknown as Factories }
}
