import type { TSchema } from 'typebox'

type Properties = Readonly<Record<string, TSchema>>

/** `successURL` → `success_url`. */
export function snakeName(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z]+)/g, '$1_$2').toLowerCase()
}

export function propertiesOf(schema: TSchema): Properties | undefined {
  return (schema as { readonly properties?: Properties }).properties
}

/** The same object with its names in snake case, at every depth; what it refers to stays as it is. */
export function snakeCased(schema: TSchema, $id: string): TSchema {
  return { ...snakeCase(schema), $id }
}

function snakeCase(schema: TSchema): TSchema {
  const properties = propertiesOf(schema)
  if (properties === undefined) return schema
  const renamed = Object.entries(properties).map(([name, property]): [string, TSchema] => [
    snakeName(name),
    snakeCase(property),
  ])
  const { required } = schema as { readonly required?: readonly string[] }
  return {
    ...schema,
    properties: Object.fromEntries(renamed),
    ...(required && { required: required.map(snakeName) }),
  }
}
