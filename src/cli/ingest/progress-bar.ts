import { redrawnLine } from '../redrawn-line.ts'
import type { Terminal } from '../redrawn-line.ts'
import type { IngestProgress } from './ingest-file.ts'

const WIDTH = 30

/** Draws progress on one line of a terminal; elsewhere (a log, a pipe) it stays silent. */
export function progressBar(terminal: Terminal) {
  const line = redrawnLine(terminal)
  const draw = (progress: IngestProgress): void =>
    line.draw(progressLine(progress), progress.bytesRead >= progress.bytesTotal)
  return { draw, end: line.end }
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
