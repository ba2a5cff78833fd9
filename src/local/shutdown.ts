/** What ended the wait: a signal, or the process that started us going away. */
export type StopReason = NodeJS.Signals | 'disconnect'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** A terminal, npm and the bootstrap each pass Ctrl-C on: what arrives this soon after the first is the same one. */
const sameSignalMs = 1_500

/**
 * Settles with the first reason to stop; from then on a second Ctrl-C, pressed deliberately, ends the process at once
 * (its watchdogs then end the rest).
 */
export async function stopRequested(): Promise<StopReason> {
  return await new Promise((resolve) => {
    let firstMs: number | null = null
    const stop = (reason: StopReason): void => {
      if (firstMs !== null && reason !== 'disconnect' && Date.now() - firstMs > sameSignalMs) process.exit(1)
      firstMs ??= Date.now()
      resolve(reason)
    }
    for (const signal of signals) process.on(signal, () => stop(signal))
    if (process.connected) process.once('disconnect', () => stop('disconnect'))
  })
}
