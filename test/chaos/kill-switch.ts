import type { Database } from '../../src/db/connection.ts'

/** Kills this process, once, when the armed point is reached. */
export interface KillSwitch {
  readonly arm: (point: string) => void
  readonly isArmed: (point: string) => boolean
  /** Does not return when the point is armed. */
  readonly reach: (point: string) => void
  /** The number of transactions begun since it was armed. */
  readonly nextCommit: () => number
}

export function createKillSwitch(): KillSwitch {
  let armed: string | null = null
  let commits = 0
  return {
    arm(point) {
      // `commit:2 (number):before` is known here by its number.
      armed = point.replace(/ \(\w+\)/, '')
      commits = 0
    },
    isArmed: (point) => armed === point,
    reach(point) {
      if (armed === point) process.kill(process.pid, 'SIGKILL')
    },
    nextCommit: () => (commits += 1),
  }
}

type Call = (...args: readonly unknown[]) => unknown

interface Points {
  readonly kill: KillSwitch
  readonly group: string
  /** For what is reported to somebody else: begins to watch, so that `reported` resolves after the call has returned. */
  readonly whenReported?: () => Promise<{ readonly reported: Promise<void> }>
}

/** The same object with a kill point before and after each of its calls. */
export function withKillPoints<T extends object>(target: T, { kill, group, whenReported }: Points): T {
  const wrapped = Object.entries(target as Readonly<Record<string, Call>>).map(([name, call]) => {
    const point = (when: string): string => `${group}:${name}:${when}`
    return [
      name,
      (...args: readonly unknown[]): unknown => {
        kill.reach(point('before'))
        const outcome = call(...args)
        if (!(outcome instanceof Promise)) return outcome
        return outcome.then(async (result: unknown) => {
          kill.reach(point('after_effect'))
          if (kill.isArmed(point('after'))) {
            const killed = (): void => kill.reach(point('after'))
            // Without a report, the caller has taken the result and gone on to its next wait.
            if (whenReported) void (await whenReported()).reported.then(killed)
            else setImmediate(killed)
          }
          return result
        })
      },
    ] as const
  })
  return Object.fromEntries(wrapped) as T
}

/** The same database with a kill point before and after the commit of each transaction. */
export function withCommitPoints(db: Database, kill: KillSwitch): Database {
  return replaced(db, 'transaction', () => transactionWithPoints(db.transaction(), kill))
}

type TransactionBuilder = ReturnType<Database['transaction']>
type Level = Parameters<TransactionBuilder['setIsolationLevel']>[0]
type Work = Parameters<TransactionBuilder['execute']>[0]

function transactionWithPoints(builder: TransactionBuilder, kill: KillSwitch): TransactionBuilder {
  const withLevel = replaced(builder, 'setIsolationLevel', (level: Level) =>
    transactionWithPoints(builder.setIsolationLevel(level), kill),
  )
  return replaced(withLevel, 'execute', async (work: Work) => {
    const point = `commit:${kill.nextCommit()}`
    const result = await builder.execute(async (trx) => {
      const done = await work(trx)
      kill.reach(`${point}:before`)
      return done
    })
    kill.reach(`${point}:after`)
    return result
  })
}

/** Kysely keeps private fields, so everything else stays bound to the original. */
function replaced<T extends object>(target: T, name: string, replacement: unknown): T {
  return new Proxy(target, {
    get(original, key) {
      if (key === name) return replacement
      const value: unknown = Reflect.get(original, key, original)
      return typeof value === 'function' ? (value as Call).bind(original) : value
    },
  })
}
