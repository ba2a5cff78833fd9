import { readdir, readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'

export const historyFolder = new URL('histories/', import.meta.url)

/** A history as it was recorded, with the id its workflow had: `invoice/…` says which workflow it was. */
export interface RecordedHistory {
  readonly name: string
  readonly workflowId: string
  readonly history: unknown
}

export async function readHistories(): Promise<readonly RecordedHistory[]> {
  const files = (await readdir(historyFolder)).filter((file) => file.endsWith('.json.gz')).sort()
  return await Promise.all(
    files.map(async (file) => {
      const text = gunzipSync(await readFile(new URL(file, historyFolder))).toString()
      const { workflowId, history } = JSON.parse(text) as { workflowId: string; history: unknown }
      return { name: file.replace('.json.gz', ''), workflowId, history }
    }),
  )
}
