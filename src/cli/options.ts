import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { parseRfc3339, YEARS } from '../domain/cloud-event.ts'

/** For --port and its like. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('a port is a whole number from 1 to 65535')
  return port
}

/** An instant as people type it: RFC 3339, or a day, which begins at midnight UTC. */
export function parseInstant(text: string): Date {
  const instant = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? new Date(text)
    : null
  if (instant === null || Number.isNaN(instant.getTime())) {
    throw new InvalidArgumentError('an instant is like 2026-02-01T00:00:00Z or 2026-02-01')
  }
  const day = text.slice(0, 10)
  // `Date` takes 30 February for 2 March.
  if (parseRfc3339(`${day}T00:00:00Z`) === null)
    throw new InvalidArgumentError(`the years ${YEARS} have no ${day}`)
  return instant
}

/** Which installation: on every command that calls the API. */
export function withTarget(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'address of the API').env('PERENNIAL_URL'))
    .addOption(new Option('--api-key <key>', 'API key, where keys exist').env('PERENNIAL_API_KEY'))
    .addOption(dataDirOption())
}

export function dataDirOption(): Option {
  return new Option('--data-dir <folder>', 'folder of the local installation').default('.perennial')
}

/** The whole answer, for programs. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON')
}
