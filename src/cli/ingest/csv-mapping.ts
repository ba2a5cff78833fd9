import { CliProblem } from '../problem.ts'

/** Where an attribute comes from: the same text for every row, or a column. */
export type Source = { readonly literal: string } | { readonly column: string }

export interface DataColumn {
  readonly name: string
  readonly column: string
  readonly isNumber: boolean
}

/** One row becomes an event per kind: `kind: context, value: the cell of ContextTokens`. */
export interface Explode {
  /** Member of the data that names the kind. */
  readonly kindName: string
  readonly kinds: readonly { readonly kind: string; readonly column: string }[]
  /** Member of the data that holds the number. */
  readonly valueName: string
}

/** How the rows of a CSV file become CloudEvents. */
export interface CsvMapping {
  readonly type: Source
  readonly source: Source
  readonly subject: Source
  /** null: the server takes the time at which it receives the event. */
  readonly timeColumn: string | null
  /** Zone of times that bring none. */
  readonly timeZone: string | null
  /** null: an id made of the file's content up to the row, so that the same file loaded again is all duplicates. */
  readonly idColumn: string | null
  readonly data: readonly DataColumn[]
  readonly explode: Explode | null
}

/** `name=column` or `name=column:number`. @throws CliProblem */
export function parseDataOption(text: string): DataColumn {
  const match = /^([^=]+)=(.+?)(:number)?$/.exec(text)
  if (match === null) {
    throw new CliProblem({
      what: `--data ${text} cannot be read`,
      why: 'it has to name a member of the data and a column',
      next: 'write --data model=Model or --data tokens=TokenCount:number',
    })
  }
  return { name: match[1] ?? '', column: match[2] ?? '', isNumber: match[3] !== undefined }
}

/** `kind=context:ContextTokens,generated:GeneratedTokens`. @throws CliProblem */
export function parseExplodeOption(text: string, valueName: string): Explode {
  const [kindName = '', list = ''] = splitOnce(text, '=')
  const kinds = list.split(',').map((part) => {
    const [kind = '', column = ''] = splitOnce(part, ':')
    return { kind, column }
  })
  if (kindName === '' || kinds.some(({ kind, column }) => kind === '' || column === '')) {
    throw new CliProblem({
      what: `--explode ${text} cannot be read`,
      why: 'it has to name a member of the data, and a kind and a column for each event',
      next: 'write --explode kind=context:ContextTokens,generated:GeneratedTokens --value-name tokens',
    })
  }
  return { kindName, kinds, valueName }
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

/** Columns a mapping reads. */
export function columnsOf(mapping: CsvMapping): readonly string[] {
  const sources = [mapping.type, mapping.source, mapping.subject].flatMap((from) =>
    'column' in from ? [from.column] : [],
  )
  const optional = [mapping.timeColumn, mapping.idColumn].filter((column) => column !== null)
  const exploded = mapping.explode?.kinds.map(({ column }) => column) ?? []
  return [...sources, ...optional, ...mapping.data.map(({ column }) => column), ...exploded]
}
