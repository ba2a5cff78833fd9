import type { ListedEvent } from '../../db/stores/event-list.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** An IngestedEvent as JSON text: its data goes through as it was stored, with all digits. */
export function ingestedEventJson(row: ListedEvent): string {
  const { id, source, specversion, type, subject, time, datacontenttype, dataschema } = row
  const event = JSON.stringify(
    withoutNulls({ id, source, specversion, type, subject, time, datacontenttype, dataschema }),
  )
  const whole = row.data === null ? event : `${event.slice(0, -1)},"data":${row.data}}`
  const around = withoutNulls({
    customerId: row.customerId,
    validationError: row.validationError,
    ingestedAt: instant(row.ingestedAt),
    storedAt: instant(row.storedAt),
  })
  return `{"event":${whole},${JSON.stringify(around).slice(1)}`
}
