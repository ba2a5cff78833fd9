import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cacheFolder } from '../../src/local/programs.ts'
import { temporalBinary } from '../../src/local/temporal-binary.ts'

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-temporal-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function program(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'temporal')
  await writeFile(file, '#!/bin/sh\n')
  await chmod(file, 0o755)
  return file
}

test('a temporal on PATH comes first, then the cache outside of the project', async () => {
  await inFolder(async (folder) => {
    const cached = await program(join(folder, 'cache', 'perennial', 'temporal'))
    const env = { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache') }
    expect(await temporalBinary({ env })).toBe(cached)
    const onPath = await program(join(folder, 'bin'))
    expect(await temporalBinary({ env })).toBe(onPath)
  })
})

test('the cache follows XDG_CACHE_HOME and is never inside of the project', () => {
  expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/perennial')
  expect(cacheFolder({})).not.toContain(process.cwd())
})
