import { readdir, readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'

/** A folder for each release that recorded; what is in them is never written again. */
export const historyFolder = new URL('histories/', import.meta.url)

/** A history as it was recorded, with the id its workflow had: `invoice/…` says which workflow it was. */
export interface RecordedHistory {
  readonly release: string
  readonly name: string
  readonly workflowId: string
  readonly history: { readonly events: readonly RecordedEvent[] }
}

/** An event as protobuf's JSON has it. */
export interface RecordedEvent {
  readonly eventType: string
  readonly [attributes: string]: unknown
}

/** All of them, by release and name. */
export async function readHistories(): Promise<readonly RecordedHistory[]> {
  const found = (await readdir(historyFolder, { recursive: true })).filter((file) =>
    file.endsWith('.json.gz'),
  )
  return await Promise.all(
    found.toSorted().map(async (file) => {
      const text = gunzipSync(await readFile(new URL(file, historyFolder))).toString()
      const { workflowId, history } = JSON.parse(text) as Pick<RecordedHistory, 'workflowId' | 'history'>
      const [release = '', name = ''] = file.replace('.json.gz', '').split('/')
      return { release, name, workflowId, history }
    }),
  )
}
