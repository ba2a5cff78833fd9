import { setTimeout as delay } from 'node:timers/promises'
import type { Stack } from '../stack/stack.ts'

export interface Restart {
  readonly process: string
  readonly ended: string
  readonly stopMs: number
  readonly startMs: number
}

interface RollingOptions {
  readonly withTemporal: boolean
  readonly isOver: () => boolean
  readonly say: (line: string) => void
}

/** Between two restarts: the load is to meet the whole cluster, too. */
const REST_MS = 2_000

/** SIGTERM to each process in turn, the next when the one before is ready again; at least once each, until it is over. */
export async function restartInTurn(stack: Stack, options: RollingOptions): Promise<readonly Restart[]> {
  const restarts: Restart[] = []
  const { temporal } = stack
  const parts = [
    ...[...stack.apis, ...stack.workers].map(({ name, stop, start }) => ({ name, stop, start })),
    ...(options.withTemporal
      ? [
          {
            name: 'temporal',
            start: temporal.start,
            stop: async () => {
              await temporal.stop()
              return 'exit code 0'
            },
          },
        ]
      : []),
  ]
  do {
    for (const { name, stop, start } of parts) {
      await delay(REST_MS)
      const begun = performance.now()
      const ended = await stop()
      const stopped = performance.now()
      await start()
      const restart = {
        process: name,
        ended,
        stopMs: Math.round(stopped - begun),
        startMs: Math.round(performance.now() - stopped),
      }
      options.say(`${name} restarted: ${ended}, ${restart.stopMs} ms to stop, ${restart.startMs} ms to start`)
      restarts.push(restart)
    }
  } while (!options.isOver())
  return restarts
}
