import { readdir, readFile } from 'node:fs/promises'

const TICK_MS = 10

/**
 * CPU time of a process and its children so far, in ms, with what children that have ended used; 0 where the machine does not
 * say (only Linux does, in /proc). PostgreSQL's connections are children of its first process.
 */
export async function cpuMsOfTree(root: number): Promise<number> {
  const all = await Promise.all((await processes()).map(timesOf))
  const known = all.filter((times) => times !== null)
  const isInTree = (pid: number, parent: number): boolean => pid === root || parent === root
  return known
    .filter(({ pid, parent }) => isInTree(pid, parent))
    .reduce((sum, { own, ended }) => sum + own + ended, 0)
}

interface Times {
  readonly pid: number
  readonly parent: number
  readonly own: number
  readonly ended: number
}

async function processes(): Promise<readonly number[]> {
  const names = await readdir('/proc').catch((): string[] => [])
  return names.filter((name) => /^\d+$/.test(name)).map(Number)
}

async function timesOf(pid: number): Promise<Times | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  // The name in parentheses may hold spaces; from the one after it: the parent is field 4, times are 14 to 17.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  if (fields === undefined) return null
  const ms = (index: number): number => Number(fields[index]) * TICK_MS
  return { pid, parent: Number(fields[1]), own: ms(11) + ms(12), ended: ms(13) + ms(14) }
}
