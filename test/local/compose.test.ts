import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { variables } from '../../src/config.ts'
import { searchAttributes } from '../../src/local/search-attributes.ts'

interface Service {
  readonly image?: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly command?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly deploy?: { readonly replicas?: number }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const root = new URL('../../', import.meta.url)
const text = await readFile(new URL('docker-compose.yml', root), 'utf8')
const compose = parse(text, { merge: true }) as Compose
const dockerfile = await readFile(new URL('Dockerfile', root), 'utf8')

test('every service that another waits for exists, and is checked in the way it is waited for', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const target = compose.services[other]
      expect(target, `${name} waits for ${other}`).toBeDefined()
      if (condition === 'service_healthy')
        expect(target?.healthcheck, `${other} has a health check`).toBeDefined()
    }
  }
})

test('our processes get variables that the configuration knows, the required ones among them', () => {
  for (const name of ['api', 'worker', 'migrate', 'key']) {
    const given = Object.keys(compose.services[name]?.environment ?? {})
    expect(given.filter((variable) => !(variable in variables))).toEqual([])
    expect(given).toEqual(
      expect.arrayContaining(['DATABASE_URL', 'PERENNIAL_MASTER_KEY', 'TEMPORAL_ADDRESS']),
    )
  }
})

test('there are two workers, and nothing is published beyond this machine', () => {
  expect(compose.services['worker']?.deploy?.replicas).toBe(2)
  const published = Object.values(compose.services).flatMap((service) => service.ports ?? [])
  expect(published.every((port) => port.startsWith('127.0.0.1:'))).toBe(true)
})

test('the search attributes are the ones that a local start registers', () => {
  const command = compose.services['temporal-setup']?.command?.join(' ') ?? ''
  for (const [name, type] of Object.entries(searchAttributes))
    expect(command).toContain(`--name ${name} --type ${type}`)
})

test('Temporal gets the settings that operators are told to set', async () => {
  const { environment, volumes } = compose.services['temporal'] ?? {}
  expect(volumes).toContain(`./docs/temporal.yml:${environment?.['DYNAMIC_CONFIG_FILE_PATH']}:ro`)
  const settings = parse(await readFile(new URL('docs/temporal.yml', root), 'utf8')) as Record<
    string,
    unknown
  >
  const operations = await readFile(new URL('docs/operations.md', root), 'utf8')
  for (const name of Object.keys(settings)) expect(operations).toContain(`\`${name}\``)
})

test('no secret has a default', () => {
  for (const variable of ['POSTGRES_PASSWORD', 'PERENNIAL_MASTER_KEY']) {
    expect(text).toContain(`\${${variable}:?`)
    expect(text).not.toContain(`\${${variable}:-`)
  }
})

test('the image is built on glibc, runs as nobody special, and copies what its commands need', () => {
  expect(dockerfile).toMatch(/^FROM node:\d+-slim$/m)
  expect(dockerfile).toMatch(/^USER node$/m)
  for (const file of ['server.ts', 'worker.ts', 'cli.ts', 'bin', 'src']) expect(dockerfile).toContain(file)
})
