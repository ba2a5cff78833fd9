import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { Row } from './rows.ts'

export interface Report {
  readonly write: (rows: readonly Row[]) => Promise<void>
  readonly close: () => Promise<void>
}

/** Refused rows, a JSON object a line: `{row, reason, original}`. A report of an earlier run is replaced. */
export async function openReport(file: string | null): Promise<Report> {
  const handle: FileHandle | null = file === null ? null : await open(file, 'w')
  return {
    write: async (rows) => {
      const lines = rows.map(({ line, refusal, original }) =>
        JSON.stringify({ row: line, reason: refusal, original }),
      )
      if (lines.length > 0) await handle?.write(`${lines.join('\n')}\n`)
    },
    close: async () => {
      await handle?.close()
    },
  }
}
