import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export type JsonSchema = { readonly [key: string]: unknown } | boolean

/** What the client's types say about one call. */
export interface ContractCall {
  readonly method: string
  /** With `{placeholders}`. */
  readonly path: string
  readonly operationId: string
  /** By status (or `default`) and content type; a status without a body has no content types. */
  readonly responses: ReadonlyMap<string, ReadonlyMap<string, JsonSchema>>
}

export interface Contract {
  readonly calls: readonly ContractCall[]
  /** The named components; responses refer to them as `contract#/definitions/Name`. */
  readonly document: { readonly $id: string; readonly definitions: Readonly<Record<string, JsonSchema>> }
}

const declarations = new URL('./src/client/schemas.d.ts', import.meta.resolve('@openmeter/sdk'))
/** Examples of ids in the client's comments: a text with one is a ULID. */
const ULID = '^[0-7][0-9A-HJKMNP-TV-Z]{25}$'
/** Components that are plain text in the types, with what their comments say of them. */
const named: Readonly<Record<string, JsonSchema>> = {
  Numeric: { type: 'string', pattern: String.raw`^-?[0-9]+(\.[0-9]+)?$` },
  CurrencyCode: { type: 'string', pattern: '^[A-Z]{3}$' },
  CountryCode: { type: 'string', pattern: '^[A-Z]{2}$' },
  InvoiceNumber: { type: 'string', minLength: 1, maxLength: 256 },
}

/** Reads the published client's declarations, a fifth of a second: JSON Schemas of every response, from the types alone. */
export function readContract(): Contract {
  const file = fileURLToPath(declarations)
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  const schemas = literalAt(interfaceOf(source, 'components').members, 'schemas')
  const definitions = Object.fromEntries(
    properties(schemas.members).map((property) => {
      const name = nameOf(property)
      return [name, named[name] ?? schemaOf(typeOf(property), property)]
    }),
  )
  return { calls: callsOf(source), document: { $id: 'contract', definitions } }
}

function callsOf(source: ts.SourceFile): ContractCall[] {
  const operations = new Map(
    properties(interfaceOf(source, 'operations').members).map((one) => [nameOf(one), typeOf(one)]),
  )
  return properties(interfaceOf(source, 'paths').members).flatMap((path) =>
    properties(membersOf(typeOf(path))).flatMap((method) => {
      const operationId = indexOf(typeOf(method))
      const operation = operationId === undefined ? undefined : operations.get(operationId)
      if (operationId === undefined || operation === undefined) return []
      const responses = responsesOf(literalAt(membersOf(operation), 'responses'))
      return [{ method: nameOf(method).toUpperCase(), path: nameOf(path), operationId, responses }]
    }),
  )
}

function responsesOf(literal: ts.TypeLiteralNode): ContractCall['responses'] {
  return new Map(
    properties(literal.members).map((status) => {
      const content = properties(membersOf(typeOf(status))).find((one) => nameOf(one) === 'content')
      const bodies = content && ts.isTypeLiteralNode(typeOf(content)) ? membersOf(typeOf(content)) : []
      return [
        nameOf(status),
        new Map(properties(bodies).map((body) => [nameOf(body), schemaOf(typeOf(body), body)])),
      ]
    }),
  )
}

/** Only the constructs that the declarations use; anything else is an error rather than a hole in the check. */
function schemaOf(type: ts.TypeNode, at: ts.Node): JsonSchema {
  if (ts.isTypeLiteralNode(type)) return objectSchema(type)
  if (ts.isUnionTypeNode(type)) return { anyOf: type.types.map((one) => schemaOf(one, at)) }
  if (ts.isIntersectionTypeNode(type)) return { allOf: type.types.map((one) => schemaOf(one, at)) }
  if (ts.isArrayTypeNode(type)) return { type: 'array', items: schemaOf(type.elementType, at) }
  if (ts.isParenthesizedTypeNode(type)) return schemaOf(type.type, at)
  if (ts.isTypeOperatorNode(type)) return schemaOf(type.type, at)
  if (ts.isIndexedAccessTypeNode(type)) return { $ref: `contract#/definitions/${indexOf(type)}` }
  if (ts.isLiteralTypeNode(type)) return literalSchema(type)
  if (ts.isTypeReferenceNode(type)) return referenceSchema(type, at)
  return keywordSchema(type, at)
}

function objectSchema(type: ts.TypeLiteralNode): JsonSchema {
  const own = properties(type.members)
  const index = type.members.find((member) => ts.isIndexSignatureDeclaration(member))
  return {
    type: 'object',
    properties: Object.fromEntries(own.map((one) => [nameOf(one), schemaOf(typeOf(one), one)])),
    required: own.filter((one) => one.questionToken === undefined).map((one) => nameOf(one)),
    ...(index && { additionalProperties: schemaOf(index.type, index) }),
  }
}

function literalSchema(type: ts.LiteralTypeNode): JsonSchema {
  const { literal } = type
  if (literal.kind === ts.SyntaxKind.NullKeyword) return { type: 'null' }
  if (literal.kind === ts.SyntaxKind.TrueKeyword) return { const: true }
  if (literal.kind === ts.SyntaxKind.FalseKeyword) return { const: false }
  if (ts.isStringLiteral(literal)) return { const: literal.text }
  if (ts.isNumericLiteral(literal)) return { const: Number(literal.text) }
  throw new Error(`a literal of the client's types is not known: ${type.getText()}`)
}

function referenceSchema(type: ts.TypeReferenceNode, at: ts.Node): JsonSchema {
  const [first, second] = type.typeArguments ?? []
  switch (type.typeName.getText()) {
    case 'Date':
      return { type: 'string', format: 'date-time' }
    case 'Record':
      return { type: 'object', maxProperties: 0 }
    case 'WithRequired': {
      if (first === undefined || second === undefined) break
      const keys = ts.isUnionTypeNode(second) ? second.types : [second]
      const required = keys.map((key) =>
        ts.isLiteralTypeNode(key) && ts.isStringLiteral(key.literal) ? key.literal.text : '',
      )
      return { allOf: [schemaOf(first, at), { required }] }
    }
    default:
  }
  throw new Error(`a type of the client is not known: ${type.getText()}`)
}

function keywordSchema(type: ts.TypeNode, at: ts.Node): JsonSchema {
  switch (type.kind) {
    case ts.SyntaxKind.StringKeyword:
      return exampleOf(at).match(ULID) ? { type: 'string', pattern: ULID } : { type: 'string' }
    case ts.SyntaxKind.NumberKeyword:
      return { type: 'number' }
    case ts.SyntaxKind.BooleanKeyword:
      return { type: 'boolean' }
    case ts.SyntaxKind.UnknownKeyword:
      return true
    case ts.SyntaxKind.NeverKeyword:
      return false
    default:
      throw new Error(`a type of the client is not known: ${type.getText()}`)
  }
}

function exampleOf(node: ts.Node): string {
  const tag = ts.getJSDocTags(node).find(({ tagName }) => tagName.text === 'example')
  return (ts.getTextOfJSDocComment(tag?.comment) ?? '').trim()
}

function interfaceOf(source: ts.SourceFile, name: string): ts.InterfaceDeclaration {
  const found = source.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name)
  if (found === undefined || !ts.isInterfaceDeclaration(found))
    throw new Error(`the client declares no ${name}`)
  return found
}

const properties = (members: readonly ts.TypeElement[]): ts.PropertySignature[] =>
  members.filter((member) => ts.isPropertySignature(member))

const nameOf = ({ name }: ts.PropertySignature): string =>
  ts.isIdentifier(name) || ts.isStringLiteral(name) || ts.isNumericLiteral(name) ? name.text : name.getText()

function typeOf(property: ts.PropertySignature): ts.TypeNode {
  if (property.type === undefined) throw new Error(`${nameOf(property)} has no type`)
  return property.type
}

const membersOf = (type: ts.TypeNode): readonly ts.TypeElement[] =>
  ts.isTypeLiteralNode(type) ? type.members : []

function literalAt(members: readonly ts.TypeElement[], name: string): ts.TypeLiteralNode {
  const found = properties(members).find((member) => nameOf(member) === name)
  const type = found && typeOf(found)
  if (type === undefined || !ts.isTypeLiteralNode(type)) throw new Error(`the client declares no ${name}`)
  return type
}

/** The last key of `components['schemas']['X']` or `operations['x']`. */
function indexOf(type: ts.TypeNode): string | undefined {
  if (!ts.isIndexedAccessTypeNode(type) || !ts.isLiteralTypeNode(type.indexType)) return undefined
  return ts.isStringLiteral(type.indexType.literal) ? type.indexType.literal.text : undefined
}
