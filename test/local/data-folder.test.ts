import { expect, test } from 'vitest'
import { dataFolder, openDataFolder } from '../../src/local/data-folder.ts'
import { existsSync } from 'node:fs'
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

test('a folder below others that are not there is made with them', async () => {
  const root = await mkdtemp(join(tmpdir(), 'perennial-nested-'))
  const folder = dataFolder(join(root, 'a', 'b'))
  await openDataFolder(folder, { reset: false })
  expect(await readdir(folder.root)).toContain('logs')
  await rm(root, { recursive: true })
})

test.skipIf(!existsSync('/proc/self'))('a place that can hold no folder is refused by its name', async () => {
  const problem = { what: '/proc/perennial cannot hold the data' }
  const opening = openDataFolder(dataFolder('/proc/perennial'), { reset: false })
  await expect(opening).rejects.toMatchObject(problem)
})

test('a reset removes what an earlier start kept', async () => {
  const root = await mkdtemp(join(tmpdir(), 'perennial-reset-'))
  await openDataFolder(dataFolder(root), { reset: false })
  await writeFile(join(root, 'demo.json'), '{}')
  await openDataFolder(dataFolder(root), { reset: true })
  expect(await readdir(root)).not.toContain('demo.json')
  await rm(root, { recursive: true })
})
