import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isServing } from '../../../src/local/temporal.ts'
import { waitFor } from '../../support/scenario.ts'
import { killableTemporal } from './servers.ts'

test('a Temporal that answers nothing any more is replaced', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-mute-'))
  // The record is gone between one process and the next.
  const record = async (): Promise<string> =>
    await readFile(join(folder, 'temporal.pid.json'), 'utf8').catch(() => '')
  let replaced = 0
  const server = await killableTemporal(folder, { muteMs: 3_000, onMute: () => (replaced += 1) })
  try {
    const before = await record()
    process.kill((JSON.parse(before) as { readonly pid: number }).pid, 'SIGSTOP')
    await waitFor(record, (now) => now !== '' && now !== before)
    expect(await waitFor(async () => await isServing(server.url()), Boolean)).toBe(true)
    expect(replaced).toBe(1)
  } finally {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}, 120_000)
