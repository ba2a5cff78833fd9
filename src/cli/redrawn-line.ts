const REDRAW_MS = 100

export interface Terminal {
  readonly isTTY?: boolean
  readonly write: (text: string) => unknown
}

interface RedrawnLine {
  /** Left out between two that follow each other closely, unless it is the last. */
  readonly draw: (text: string, isLast?: boolean) => void
  readonly end: () => void
}

/** One line of a terminal that is drawn again and again; elsewhere (a log, a pipe) it stays silent. */
export function redrawnLine(terminal: Terminal, now: () => number = Date.now): RedrawnLine {
  let drawnAt = -Infinity
  const draw = (text: string, isLast = false): void => {
    if (terminal.isTTY !== true) return
    if (!isLast && now() - drawnAt < REDRAW_MS) return
    drawnAt = now()
    terminal.write(`\r\u001B[2K${text}`)
  }
  const end = (): void => {
    if (terminal.isTTY === true && drawnAt !== -Infinity) terminal.write('\n')
  }
  return { draw, end }
}
