import { expect, test } from 'vitest'
import { dataFolder, openDataFolder } from '../../src/local/data-folder.ts'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

test('a reset never removes a folder that is not ours', async () => {
  const root = await mkdtemp(join(tmpdir(), 'perennial-reset-'))
  await writeFile(join(root, 'thesis.txt'), 'important')
  await expect(openDataFolder(dataFolder(root), { reset: true })).rejects.toThrow(/not removed/)
  expect(await readdir(root)).toContain('thesis.txt')
  await rm(root, { recursive: true })
})

test('a reset removes what an earlier start kept', async () => {
  const root = await mkdtemp(join(tmpdir(), 'perennial-reset-'))
  await openDataFolder(dataFolder(root), { reset: false })
  await writeFile(join(root, 'demo.json'), '{}')
  await openDataFolder(dataFolder(root), { reset: true })
  expect(await readdir(root)).not.toContain('demo.json')
  await rm(root, { recursive: true })
})
