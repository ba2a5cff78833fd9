import type { IngestProgress } from './ingest-file.ts'

const WIDTH = 30
const REDRAW_MS = 100

interface Terminal {
  readonly isTTY?: boolean
  readonly write: (text: string) => unknown
}

/** Draws progress on one line of a terminal; elsewhere (a log, a pipe) it stays silent. */
export function progressBar(terminal: Terminal, now: () => number = Date.now) {
  let drawnAt = -Infinity
  const draw = (progress: IngestProgress): void => {
    if (terminal.isTTY !== true) return
    const isDone = progress.bytesRead >= progress.bytesTotal
    if (!isDone && now() - drawnAt < REDRAW_MS) return
    drawnAt = now()
    terminal.write(`\r\u001B[2K${progressLine(progress)}`)
  }
  const end = (): void => {
    if (terminal.isTTY === true && drawnAt !== -Infinity) terminal.write('\n')
  }
  return { draw, end }
}

/** `████████░░ 80 %  1200 rows  1100 new  100 duplicate  0 refused` */
export function progressLine(progress: IngestProgress): string {
  const share = progress.bytesTotal === 0 ? 1 : Math.min(progress.bytesRead / progress.bytesTotal, 1)
  const filled = Math.round(share * WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled)
  const { rows, stored, duplicate, refusedRows } = progress
  const percent = String(Math.floor(share * 100)).padStart(3)
  return `${bar} ${percent} %  ${rows} rows  ${stored} new  ${duplicate} duplicate  ${refusedRows} refused`
}
