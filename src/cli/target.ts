import { existsSync, readFileSync } from 'node:fs'
import { readClientSettings } from '../config.ts'
import { dataFolder } from '../local/data-folder.ts'
import type { Instance } from '../local/stack.ts'
import { apiClient } from './api-client.ts'
import type { Api } from './api-client.ts'
import { CliProblem } from './problem.ts'

/** Which installation a command speaks to. */
export interface TargetOptions {
  readonly url?: string
  readonly apiKey?: string
  readonly dataDir?: string
}

/** The addresses that a running `npm start` wrote down; null when none runs on this folder. */
export function localInstance(dataDir = '.perennial'): Instance | null {
  const { instanceFile } = dataFolder(dataDir)
  return existsSync(instanceFile) ? (JSON.parse(readFileSync(instanceFile, 'utf8')) as Instance) : null
}

/** By --url, PERENNIAL_URL, the running `npm start`, or the usual port, in this order. */
export function targetOf(options: TargetOptions): {
  readonly apiUrl: string
  readonly apiKey: string | null
} {
  const settings = readClientSettings()
  // An empty variable (`PERENNIAL_URL=`) reaches us as an empty option: the same as none.
  const wanted = options.url === '' ? undefined : options.url
  const url = wanted ?? settings.apiUrl ?? localInstance(options.dataDir)?.apiUrl ?? 'http://127.0.0.1:8888'
  requireAddress(url)
  return { apiUrl: url.replace(/\/+$/, ''), apiKey: options.apiKey ?? settings.apiKey ?? null }
}

function requireAddress(url: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'http:' || protocol === 'https:') return
  throw new CliProblem({
    what: `${url} is not the address of an API`,
    why: 'an address begins with http:// or https://',
    next: 'correct --url (or PERENNIAL_URL): it is like http://127.0.0.1:8888',
  })
}

/** A client for that installation. */
export function targetApi(options: TargetOptions): Api {
  const { apiUrl, apiKey } = targetOf(options)
  return apiClient(apiUrl, apiKey ?? undefined)
}
