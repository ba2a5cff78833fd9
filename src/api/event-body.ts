import { parse } from 'lossless-json'
import { parseCloudEvents } from '../domain/cloud-event.ts'
import { DomainError } from '../domain/errors.ts'
import { exactJson, mayHoldExactNumbers, readNumber } from '../domain/exact-number.ts'
import type { NewEvent } from '../db/stores/events.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })
/** As JSON.parse does it. */
const lastWins = ({ newValue }: { newValue: unknown }): unknown => newValue

/** Reads JSON with all digits of its numbers; the slower parser runs only where a digit could get lost. */
export function parseExactJson(text: string): unknown {
  if (!mayHoldExactNumbers(text)) return JSON.parse(text)
  return parse(text, null, { parseNumber: readNumber, onDuplicateKey: lastWins })
}

/** @throws DomainError `malformed_body` */
export function readJsonBody(body: Buffer): unknown {
  try {
    return parseExactJson(utf8.decode(body))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DomainError('malformed_body', `The body is not JSON in UTF-8: ${why.slice(0, 200)}`, {
      field: 'body',
    })
  }
}

/**
 * The events of a request. The content type says whether it is one or a batch; application/json may be either.
 * @throws DomainError `invalid_cloud_event`, naming event and field
 */
export function eventsOf(body: unknown, contentType: string, now: Date): readonly NewEvent[] {
  const isBatch = Array.isArray(body)
  if (contentType.startsWith('application/cloudevents+json') && isBatch) {
    throw mismatch('one event is an object; send a batch as application/cloudevents-batch+json')
  }
  if (contentType.startsWith('application/cloudevents-batch+json') && !isBatch) {
    throw mismatch('a batch is a list of events; send one as application/cloudevents+json')
  }
  const events = parseCloudEvents(body, { nowMs: now.getTime(), parseJson: parseExactJson })
  return events.map((event) => ({ ...event, dataText: event.data === null ? null : exactJson(event.data) }))
}

function mismatch(why: string): DomainError {
  return new DomainError('invalid_cloud_event', `body: ${why}`, { field: 'body' })
}
