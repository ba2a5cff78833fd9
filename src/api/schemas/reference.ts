import { Type } from 'typebox'
import type { Static, TSchema, TUnsafe } from 'typebox'

/**
 * A reference to a named schema that keeps its static type.
 * @example const Plan = Type.Object({...}, { $id: 'Plan' }); Type.Object({ plan: ref(Plan) })
 */
export function ref<T extends TSchema>(schema: T): TUnsafe<Static<T>> {
  const { $id } = schema as { readonly $id?: string }
  if ($id === undefined) throw new Error('only a schema with $id can be referred to')
  return Type.Unsafe<Static<T>>({ $ref: `${$id}#` })
}

function tagOf(variant: TSchema, tag: string): unknown {
  const { properties } = variant as {
    readonly properties?: Readonly<Record<string, { readonly const?: unknown }>>
  }
  const value = properties?.[tag]?.const
  if (value === undefined)
    throw new Error(`a variant without a constant "${tag}" cannot be told from the others`)
  return value
}

/**
 * One of several named objects, told apart by a property with a constant value: an error names the fields of the one
 * that was meant, instead of listing what is wrong with each. An unknown tag is told the known ones: they are asked for first.
 */
export function taggedUnion<const T extends readonly TSchema[]>(
  tag: string,
  variants: T,
  options: { readonly $id?: string } = {},
) {
  return Type.Unsafe<Static<T[number]>>({
    ...options,
    type: 'object',
    discriminator: { propertyName: tag },
    required: [tag],
    properties: { [tag]: { enum: variants.map((variant) => tagOf(variant, tag)) } },
    oneOf: variants.map((variant) => ref(variant)),
  })
}
