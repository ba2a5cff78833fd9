import { log, spinner } from '@clack/prompts'
import pc from 'picocolors'

/** Tells a person what is being done: a spinner in a terminal, plain lines elsewhere. Everything goes to stderr. */
export interface Progress {
  /** Runs the work under a line of its own; `detail` replaces the line's end while it runs. */
  readonly step: <T>(name: string, work: (detail: (text: string) => void) => Promise<T>) => Promise<T>
  readonly note: (text: string) => void
}

/** The spinner needs a terminal that can go back in a line; CI logs and pipes cannot. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  return stream.isTTY && process.env['CI'] === undefined ? spinnerProgress(stream) : plainProgress(stream)
}

function plainProgress(stream: NodeJS.WriteStream): Progress {
  const note = (text: string): void => void stream.write(`${text}\n`)
  return {
    note,
    async step(name, work) {
      const startedMs = Date.now()
      try {
        const value = await work((text) => note(`${name}: ${text}`))
        note(`${pc.green('ok')} ${name} (${seconds(startedMs)})`)
        return value
      } catch (error) {
        note(`${pc.red('failed')} ${name} (${seconds(startedMs)})`)
        throw error
      }
    },
  }
}

function spinnerProgress(stream: NodeJS.WriteStream): Progress {
  return {
    note: (text) => log.message(text, { output: stream }),
    async step(name, work) {
      const startedMs = Date.now()
      // Ctrl-C is the starter's to handle: the spinner would exit the process under it.
      const line = spinner({ output: stream, indicator: 'timer', onCancel: () => {} })
      line.start(name)
      try {
        const value = await work((text) => line.message(`${name}: ${text}`))
        line.stop(`${name} ${pc.dim(seconds(startedMs))}`)
        return value
      } catch (error) {
        line.error(name)
        throw error
      }
    },
  }
}

function seconds(startedMs: number): string {
  return `${((Date.now() - startedMs) / 1000).toFixed(1)} s`
}
