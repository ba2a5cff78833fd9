import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Change } from './store.ts'

/** An append-only file of transactions, one JSON array of changes a line. */
export interface JournalFile {
  readonly read: () => Change[]
  readonly append: (changes: readonly Change[]) => void
  /** Replaces the file by these changes in one rename. */
  readonly rewrite: (changes: readonly Change[]) => void
  readonly close: () => void
}

/** A line cut short by a kill was never acknowledged, so it is dropped; whatever precedes it is whole. */
function parseLines(text: string): Change[] {
  const changes: Change[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    try {
      changes.push(...(JSON.parse(line) as Change[]))
    } catch {
      break
    }
  }
  return changes
}

/** Appends are synchronous writes to the page cache: a killed process loses nothing that it acknowledged. */
export function openJournalFile(path: string): JournalFile {
  mkdirSync(dirname(path), { recursive: true })
  let file: number | null = null
  const close = () => {
    if (file !== null) closeSync(file)
    file = null
  }
  const writeLine = (to: number, changes: readonly Change[]) => writeSync(to, `${JSON.stringify(changes)}\n`)
  return {
    read: () => (existsSync(path) ? parseLines(readFileSync(path, 'utf8')) : []),
    append: (changes) => {
      file ??= openSync(path, 'a')
      writeLine(file, changes)
    },
    rewrite: (changes) => {
      close()
      const temporary = `${path}.new`
      const to = openSync(temporary, 'w')
      for (const change of changes) writeLine(to, [change])
      fsyncSync(to)
      closeSync(to)
      renameSync(temporary, path)
    },
    close,
  }
}
