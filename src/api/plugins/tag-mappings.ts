type Json = Readonly<Record<string, unknown>>

interface TaggedUnion {
  readonly discriminator: { readonly propertyName: string }
  readonly oneOf: readonly { readonly $ref?: string }[]
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

function isTaggedUnion(value: Json): boolean {
  const { discriminator, oneOf } = value
  return isObject(discriminator) && typeof discriminator['propertyName'] === 'string' && Array.isArray(oneOf)
}

const nameOf = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)

/**
 * Says of each union which value of its tag names which schema: without that, OpenAPI takes the values to be the names
 * of the schemas. It is added to the document only, since Ajv reads the constants and refuses a mapping.
 */
export function withTagMappings<T extends object>(document: T): T {
  const schemas =
    (document as { readonly components?: { readonly schemas?: Json } }).components?.schemas ?? {}
  const valueOf = (reference: string, tag: string): unknown => {
    const schema = schemas[nameOf(reference)]
    const properties = isObject(schema) ? schema['properties'] : undefined
    const property = isObject(properties) ? properties[tag] : undefined
    return isObject(property) ? property['const'] : undefined
  }
  const mappingOf = ({ discriminator: { propertyName }, oneOf }: TaggedUnion) => ({
    propertyName,
    mapping: Object.fromEntries(
      oneOf.flatMap(({ $ref }) => {
        const value = $ref === undefined ? undefined : valueOf($ref, propertyName)
        return typeof value === 'string' ? [[value, $ref]] : []
      }),
    ),
  })
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (!isObject(value)) return value
    const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
    return isTaggedUnion(value)
      ? { ...copy, discriminator: mappingOf(value as unknown as TaggedUnion) }
      : copy
  }
  return walk(document) as T
}
