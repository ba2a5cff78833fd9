import { spawn } from 'node:child_process'
import { once } from 'node:events'

const MARK = 'PERENNIAL_BENCH_ALONE'

/** Whether this process runs in a network of its own: nobody else reaches what it starts. */
export function isAlone(): boolean {
  return process.env[MARK] === '1'
}

/**
 * Runs this program again in a network namespace with nothing but loopback, since Kill Bill opens RMI on every interface and
 * has no switch for it. Linux, as root. Returns the exit code.
 */
export async function runAlone(args: readonly string[]): Promise<number> {
  const command = 'ip link set lo up && exec "$0" "$@"'
  const node = [process.execPath, '--import', 'tsx', ...args]
  const child = spawn('unshare', ['--net', 'sh', '-c', command, ...node], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}
