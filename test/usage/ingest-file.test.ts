import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDataOption, parseExplodeOption } from '../../src/cli/ingest/csv-mapping.ts'
import type { CsvMapping } from '../../src/cli/ingest/csv-mapping.ts'
import { ingestFile } from '../../src/cli/ingest/ingest-file.ts'
import type { IngestOptions, IngestProgress } from '../../src/cli/ingest/ingest-file.ts'
import { instantOfCell } from '../../src/cli/ingest/local-time.ts'
import { progressBar, progressLine } from '../../src/cli/ingest/progress-bar.ts'
import { startTestApi } from '../api/support.ts'
import type { TestApi } from '../api/support.ts'

let api: TestApi
let apiUrl: string
let folder: string
beforeAll(async () => {
  api = await startTestApi()
  apiUrl = await api.app.listen({ host: '127.0.0.1', port: 0 })
  folder = await mkdtemp(join(tmpdir(), 'ingest-'))
  const meter = {
    slug: 'tokens',
    eventType: 'prompt',
    aggregation: 'SUM',
    valueProperty: '$.tokens',
    groupBy: { kind: '$.kind' },
  }
  await api.app.inject({ method: 'POST', url: '/api/v1/meters', payload: meter })
})
afterAll(async () => {
  await api.close()
  await rm(folder, { recursive: true, force: true })
})

const mapping = (fields: Partial<CsvMapping> = {}): CsvMapping => ({
  type: { literal: 'prompt' },
  source: { literal: 'csv' },
  subject: { literal: 'acme' },
  timeColumn: 'TIMESTAMP',
  timeZone: 'UTC',
  idColumn: null,
  data: [],
  explode: parseExplodeOption('kind=context:Context,generated:Generated', 'tokens'),
  ...fields,
})

async function load(text: string, options: Partial<IngestOptions> = {}) {
  const file = join(folder, 'usage')
  const reportFile = join(folder, 'refused.ndjson')
  await writeFile(file, text)
  const defaults = { format: 'csv', mapping: mapping(), apiKey: null, batchSize: 3 } as const
  const summary = await ingestFile({ ...defaults, apiUrl, file, reportFile, ...options })
  const lines = (await readFile(reportFile, 'utf8')).split('\n').filter((line) => line !== '')
  return {
    summary,
    refused: lines.map((line) => JSON.parse(line) as { row: number; reason: string; original: string }),
  }
}

async function usage(subject: string, query = ''): Promise<readonly unknown[]> {
  const response = await api.app.inject({ url: `/api/v1/meters/tokens/query?subject=${subject}${query}` })
  return response.json<{ data: { value: number }[] }>().data.map(({ value }) => value)
}

const trace = [
  'TIMESTAMP,Context,Generated',
  '2023-11-16 18:17:03.9799600,4808,10',
  '2023-11-16 18:17:04.0319600,3180,8',
]

test('rule 7: a CSV loaded again is all duplicates, also when it grew or lost its last line feed', async () => {
  const first = await load(`\uFEFF${trace.join('\r\n')}`)
  expect(first).toEqual({
    summary: { rows: 2, stored: 4, duplicate: 0, invalid: 0, refusedRows: 0 },
    refused: [],
  })
  expect(await usage('acme')).toEqual([8006])
  expect(await usage('acme', '&groupBy=kind')).toEqual([7988, 18])
  const again = await load(`${trace.join('\n')}\n2023-11-16 18:17:05,1,\n`)
  expect(again.summary).toEqual({ rows: 3, stored: 1, duplicate: 4, invalid: 0, refusedRows: 0 })
  expect(await usage('acme')).toEqual([8007])
})

test('two like rows of one file are two, and one file may be loaded for two subjects', async () => {
  const text = [trace[0], trace[1], trace[1]].join('\n')
  const load1 = await load(text, { mapping: mapping({ subject: { literal: 'twin' } }) })
  const load2 = await load(text, { mapping: mapping({ subject: { literal: 'other-twin' } }) })
  expect([load1.summary.stored, load2.summary.stored]).toEqual([4, 4])
})

test('wrong rows are reported with row, reason and original, and the rest is stored', async () => {
  const rows = [
    'id,who,n,when',
    '1,eve,1,2025-01-01T00:00:00Z',
    '2,eve,many,2025-01-01T00:00:00Z',
    '3,eve,1',
    '4,,1,2025-01-01T00:00:00Z',
  ]
  const more = [
    '5,eve,1,yesterday',
    '6,eve,1,2025-01-01 00:00',
    '7,eve,+12345678901234567890.5,2025-01-01T00:00:00Z',
    '8,"a"b,1,2025-01-01T00:00:00Z',
  ]
  const last = '9,eve,2,2025-01-01T00:00:00Z\n10,"open,1,2025-01-01T00:00:00Z'
  const columns = mapping({
    subject: { column: 'who' },
    idColumn: 'id',
    timeColumn: 'when',
    timeZone: null,
    data: [parseDataOption('tokens=n:number')],
    explode: null,
  })
  const { summary, refused } = await load([...rows, ...more, last].join('\n'), { mapping: columns })
  expect(summary).toEqual({ rows: 10, stored: 4, duplicate: 0, invalid: 0, refusedRows: 6 })
  expect(refused.toSorted((a, b) => a.row - b.row).map(({ row, reason }) => [row, reason])).toEqual([
    [3, 'the column n is not a number: many'],
    [4, 'it has 3 columns where the first line has 4'],
    [5, 'the column who is empty'],
    [6, 'the column when is not a time: yesterday'],
    [7, 'the time 2025-01-01 00:00 has no zone: give --time-zone'],
    [11, expect.stringContaining('Quote Not Closed')],
  ])
  expect(refused.find(({ row }) => row === 4)?.original).toBe('3,eve,1')
  const exact = await api.app.inject({ url: '/api/v1/meters/tokens/query?subject=eve' })
  expect(exact.body).toContain('"value":12345678901234567893.5,')
})

const line = (fields: object) =>
  JSON.stringify({
    specversion: '1.0',
    source: 'nd',
    type: 'prompt',
    subject: 'nd',
    data: { tokens: 1 },
    ...fields,
  })

test('CloudEvents a line: bad ones are picked out of their batch, and digits stay', async () => {
  const good = Array.from({ length: 40 }, (_, index) => line({ id: `g${index}` }))
  const bad = Array.from({ length: 30 }, (_, index) =>
    line({ id: `b${index}`, subject: index % 2 === 0 ? '' : undefined }),
  )
  const mixed = good.flatMap((text, index) => (bad[index] === undefined ? [text] : [text, bad[index]]))
  const odd = ['not json', '[]', '', line({ id: 'sep', data: { tokens: '1', note: 'a\u2028b' } })]
  const big = line({ id: 'big' }).replace('"tokens":1', '"tokens":1234567890123456789')
  const unknown = line({ id: 'unknown', type: 'mystery' })
  const text = `\uFEFF${[...mixed, ...odd, big, unknown].join('\n')}`
  const { summary, refused } = await load(text, { format: 'ndjson', mapping: null, batchSize: 100 })
  expect(summary).toEqual({ rows: 75, stored: 43, duplicate: 0, invalid: 1, refusedRows: 32 })
  expect(refused.find(({ row }) => row === 2)).toMatchObject({
    original: bad[0],
    reason: expect.stringContaining('subject'),
  })
  const exact = await api.app.inject({ url: '/api/v1/meters/tokens/query?subject=nd' })
  expect(exact.body).toContain('"value":1234567890123456830,')
  const again = await load(text, { format: 'ndjson', mapping: null, batchSize: 7 })
  expect(again.summary).toEqual({ rows: 75, stored: 0, duplicate: 43, invalid: 0, refusedRows: 32 })
})

test('an answer that was lost or 5xx is asked for again, and counts once', async () => {
  let calls = 0
  const proxy = createServer((request, response) => {
    calls++
    if (calls === 1) return void response.writeHead(503).end()
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const headers = { 'content-type': request.headers['content-type'] ?? '' }
      const sent = fetch(`${apiUrl}/api/v1/events`, { method: 'POST', headers, body: Buffer.concat(chunks) })
      // The second is stored, but the sender never hears of it.
      const answer = (status: number, all: Headers) =>
        response.writeHead(status, Object.fromEntries(all)).end()
      void sent.then((reply) => (calls === 2 ? response.destroy() : answer(reply.status, reply.headers)))
    })
  })
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const { summary } = await load(line({ id: 'lost', subject: 'lost' }), {
    format: 'ndjson',
    mapping: null,
    apiUrl: url,
  })
  proxy.close()
  expect([calls, summary]).toEqual([3, { rows: 1, stored: 0, duplicate: 1, invalid: 0, refusedRows: 0 }])
  expect(await usage('lost')).toEqual([1])
})

test('what cannot work is said before anything is sent', async () => {
  await expect(load('a,b\n1,2\n')).rejects.toMatchObject({ what: 'The file has no column TIMESTAMP' })
  await expect(load('', { file: join(folder, 'absent') })).rejects.toMatchObject({
    what: expect.stringContaining('absent'),
  })
  await expect(load(trace.join('\n'), { mapping: null })).rejects.toMatchObject({
    what: 'A CSV file needs a mapping',
  })
  await expect(load(trace.join('\n'), { apiUrl: `${apiUrl}/nowhere` })).rejects.toMatchObject({
    what: expect.stringContaining('404'),
  })
  expect(() => parseExplodeOption('kind=a', 'n')).toThrow('--explode')
  expect(() => parseDataOption('tokens')).toThrow('--data')
})

test.each([
  ['2023-11-16 18:15:46.6805900', 'UTC', '2023-11-16T18:15:46.680590Z'],
  ['2025-03-09 02:30:00', 'America/New_York', '2025-03-09T07:30:00.000000Z'],
  ['2025-11-02 01:30', 'America/New_York', '2025-11-02T05:30:00.000000Z'],
  ['2025-01-01', 'Asia/Kathmandu', '2024-12-31T18:15:00.000000Z'],
  ['2025-01-01T00:00:00+01:00', 'America/New_York', '2024-12-31T23:00:00.000000Z'],
  ['2025-02-30 00:00:00', 'UTC', null],
  ['1700000000', 'UTC', null],
])('the time %s in %s is %s', (cell, zone, expected) => {
  expect(instantOfCell(cell, zone)).toBe(expected)
})

test('progress is drawn on a terminal only', async () => {
  const drawn: string[] = []
  const write = (text: string) => drawn.push(text)
  const progress: IngestProgress[] = []
  await load(trace.join('\n'), { batchSize: 2, onProgress: (step) => progress.push(step) })
  expect(progress).toHaveLength(2)
  const last = progress.at(-1)
  if (last === undefined) throw new Error('no progress')
  expect(progressLine(last)).toContain('100 %  2 rows  0 new  4 duplicate  0 refused')
  const quiet = progressBar({ write })
  quiet.draw(last)
  quiet.end()
  expect(drawn).toEqual([])
  const bar = progressBar({ isTTY: true, write })
  bar.draw(last)
  bar.end()
  expect(drawn.join('')).toContain('100 %')
})
