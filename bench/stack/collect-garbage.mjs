import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BroadcastChannel, isMainThread } from 'node:worker_threads'

/**
 * Loaded into a process before its program, and by Node into each of its threads: on SIGUSR2 everything that nobody holds is
 * collected in all of them, so that what stays resident is what is held and not what V8 did not bother to collect.
 */
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const channel = new BroadcastChannel('collect-garbage')
channel.addEventListener('message', () => collect())
channel.unref()
if (isMainThread)
  process.on('SIGUSR2', () => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
    channel.postMessage(null)
    collect()
  })
