/** What became of a row. */
export interface Tried<Row, Outcome> {
  readonly row: Row
  readonly outcome: Outcome
  /** It was not tried: the outcome is that of the one before, for which it waits. */
  readonly isHeldUp: boolean
}

interface Turns<Row, Outcome> {
  /** Rows of one key wait for each other, in their order; different ones go side by side, so that none holds up the others. */
  readonly keyOf: (row: Row) => string
  /** Does not reject. */
  readonly tryOnce: (row: Row) => Promise<Outcome>
  /** Whether what follows under the key waits too, with the same outcome: a Stripe that hangs costs a batch its limit once. */
  readonly holdsUp: (outcome: Outcome) => boolean
}

/** Tries each row of a batch once. */
export async function inTurns<Row, Outcome>(
  rows: readonly Row[],
  { keyOf, tryOnce, holdsUp }: Turns<Row, Outcome>,
): Promise<readonly Tried<Row, Outcome>[]> {
  const turns = new Map<string, Row[]>()
  for (const row of rows) turns.set(keyOf(row), [...(turns.get(keyOf(row)) ?? []), row])
  const takeTurn = async (turn: readonly Row[]): Promise<readonly Tried<Row, Outcome>[]> => {
    const tried: Tried<Row, Outcome>[] = []
    for (const row of turn) {
      const before = tried.at(-1)
      const waits = before !== undefined && holdsUp(before.outcome)
      tried.push({ row, outcome: waits ? before.outcome : await tryOnce(row), isHeldUp: waits })
    }
    return tried
  }
  return (await Promise.all([...turns.values()].map(takeTurn))).flat()
}
