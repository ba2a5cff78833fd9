import { get } from 'node:http'

/** Temporal's SDK serves its own metrics; this is where, and how they come into ours. */
export interface TemporalMetrics {
  /** For `telemetryOptions.metrics`. Named and measured as Prometheus wants it: counters `_total`, durations in seconds. */
  readonly exporter: {
    readonly prometheus: {
      readonly bindAddress: string
      readonly countersTotalSuffix: boolean
      readonly unitSuffix: boolean
      readonly useSecondsForDurations: boolean
    }
  }
  /** Its metrics as text; empty as long as it does not answer. */
  readonly read: () => Promise<string>
}

const READ_LIMIT_MS = 3_000

/** On a port of loopback that is free: one scrape of a worker shows both, and there is one port to configure. */
export function temporalMetrics(freePort: number): TemporalMetrics {
  const bindAddress = `127.0.0.1:${freePort}`
  const naming = { countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true }
  return {
    exporter: { prometheus: { bindAddress, ...naming } },
    read: async () => await textAt(`http://${bindAddress}/metrics`),
  }
}

async function textAt(url: string): Promise<string> {
  return await new Promise((resolve) => {
    const request = get(url, { timeout: READ_LIMIT_MS }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
      response.on('error', () => resolve(''))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(''))
  })
}
