import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit, update } from '../events.ts'
import { listPage, pageOf } from '../lists.ts'
import type { Values } from '../params.ts'
import { isInRange, mergeMetadata, metadata, page, text, timeRange } from '../params.ts'
import { present } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import { buildNote, noteShape } from '../invoices/credit.ts'
import { applyNote, voidNote } from '../invoices/credit-effects.ts'
import type { CreditNoteRecord } from '../records.ts'

const noteAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['creditNotes', idOf(path)])
const show = (ctx: Context, note: CreditNoteRecord) => present(ctx, 'creditNotes', note)

function create(ctx: Context, values: Values<typeof noteShape>): object {
  const note = applyNote(ctx, buildNote(ctx, values), values)
  emit(ctx, 'credit_note.created', ['creditNotes', note])
  return show(ctx, note)
}

const updateShape = { memo: text(5000), metadata }

function edit(ctx: Context, values: Values<typeof updateShape>, path: readonly string[]): object {
  const note = noteAt(ctx, path)
  const memo = values.memo === undefined ? note.memo : values.memo
  const changed = { ...note, memo, metadata: mergeMetadata(note.metadata, values.metadata) }
  return show(ctx, update(ctx, 'credit_note.updated', ['creditNotes', changed]))
}

function voidAt(ctx: Context, _values: object, path: readonly string[]): object {
  const note = noteAt(ctx, path)
  if (note.status === 'void') throw refuse('This credit note is already voided.')
  const voided = voidNote(ctx, note)
  emit(ctx, 'credit_note.voided', ['creditNotes', voided])
  return show(ctx, voided)
}

const listShape = { ...page, created: timeRange, customer: text(), invoice: text() }

function listNotes(ctx: Context, values: Values<typeof listShape>): object {
  const filter = (note: CreditNoteRecord) =>
    (!values.invoice || note.invoice === values.invoice) &&
    (!values.customer || note.customer === values.customer) &&
    isInRange(note.created, values.created)
  return listPage(ctx, { table: 'creditNotes', kind: 'credit note', url: '/v1/credit_notes', filter }, values)
}

export const creditNoteRoutes = [
  route('POST', '/v1/credit_notes', [noteShape, create]),
  route('GET', '/v1/credit_notes', [listShape, listNotes]),
  route('GET', '/v1/credit_notes/preview', [noteShape, (ctx, values) => show(ctx, buildNote(ctx, values))]),
  route('GET', '/v1/credit_notes/:id', [{}, (ctx, _values, path) => show(ctx, noteAt(ctx, path))]),
  route('POST', '/v1/credit_notes/:id', [updateShape, edit]),
  route('POST', '/v1/credit_notes/:id/void', [{}, voidAt]),
  route('GET', '/v1/credit_notes/:id/lines', [
    page,
    (ctx, values, path) => {
      const note = noteAt(ctx, path)
      return pageOf(`/v1/credit_notes/${note.id}/lines`, note._lines, values)
    },
  ]),
]
