import { sql } from 'kysely'
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared, preparedForms } from '../prepared.ts'
import type { RowDocument } from '../row-document.ts'
import type { CustomerApps, InvoiceLines, Invoices } from '../types.gen.ts'
import { accessKey, accessLock } from './access.ts'
import { linkOf } from './billing-settings.ts'
import { changed, changeOf } from './versioned.ts'
import type { Versioned, VersionedChange } from './versioned.ts'

export type InvoiceRow = Selectable<Invoices>
export type InvoiceLineRow = Selectable<InvoiceLines>
/** What is taken at the closing stays: documents are not changed. */
type Fixed = 'id' | 'version' | 'updatedAt' | `${string}Snapshot`
export type InvoicePatch = Omit<Updateable<Invoices>, Fixed>

/** All of them: what is prepared names its columns. */
export const invoiceColumns = [
  'appId',
  'approvedAt',
  'attempts',
  'billingProfileId',
  'carriedMinor',
  'closingAt',
  'collectionAt',
  'createdAt',
  'currency',
  'customerId',
  'customerSnapshot',
  'deletedAt',
  'discountMinor',
  'draftNumber',
  'draftUntil',
  'dueAt',
  'dunningSnapshot',
  'firstFailedAt',
  'hasWorkflow',
  'id',
  'issuedAt',
  'lastFailedAt',
  'lastPaymentId',
  'needsNewPaymentMethod',
  'nextDueAt',
  'nextLookAt',
  'number',
  'paidAt',
  'paidMinor',
  'periodFrom',
  'periodTo',
  'quantitySnapshottedAt',
  'ratedAt',
  'runs',
  'sentAt',
  'sentToStripeAt',
  'status',
  'statusCode',
  'statusReason',
  'stripeCustomerId',
  'stripeHostedUrl',
  'stripeInvoiceId',
  'stripePdfUrl',
  'stripeSnapshot',
  'subscriptionId',
  'substatus',
  'subtotalMinor',
  'supplierSnapshot',
  'syncGeneration',
  'taxMinor',
  'taxOutcome',
  'totalMinor',
  'uncollectibleAt',
  'updatedAt',
  'version',
  'voidedAt',
  'workflowSnapshot',
] as const

const invoiceLineColumns = [
  'amountMinor',
  'billingFrom',
  'billingTo',
  'createdAt',
  'description',
  'details',
  'discountMinor',
  'featureKey',
  'fullServiceFrom',
  'fullServiceTo',
  'id',
  'invoiceAt',
  'invoiceId',
  'kind',
  'lineKey',
  'meteredQuantity',
  'name',
  'phaseKey',
  'position',
  'quantity',
  'rateCard',
  'rateCardKey',
  'serviceFrom',
  'serviceTo',
  'stripeLineId',
  'taxConfig',
  'taxMinor',
  'totalMinor',
  'usageCutoff',
] as const

/** An invoice and its lines, inserted together. */
export async function insertInvoice(
  db: Db,
  invoice: Insertable<Invoices>,
  lines: readonly Insertable<InvoiceLines>[],
): Promise<void> {
  if (lines.length === 0) return void (await db.insertInto('invoices').values(invoice).execute())
  await inserting(db, { invoice, lines })
}

interface NewInvoice {
  readonly invoice: Insertable<Invoices>
  readonly lines: readonly Insertable<InvoiceLines>[]
}

const inserting = preparedForms((db, { invoice, lines }: NewInvoice) =>
  db
    .with('made', (qb) => qb.insertInto('invoices').values(invoice))
    .insertInto('invoiceLines')
    .values([...lines])
    .compile(),
)

export async function getInvoiceRow(db: Db, id: string): Promise<InvoiceRow | undefined> {
  return (await invoiceOfId(db, id))[0]
}

const invoiceOfId = prepared((db, id: string) =>
  db.selectFrom('invoices').select(invoiceColumns).where('id', '=', id).compile(),
)

export async function hasInvoice(db: Db, id: string): Promise<boolean> {
  return (await knownInvoice(db, id)).length > 0
}

const knownInvoice = prepared((db, id: string) =>
  db.selectFrom('invoices').select('id').where('id', '=', id).compile(),
)

export async function getInvoiceLines(db: Db, invoiceId: string): Promise<readonly InvoiceLineRow[]> {
  return await linesOfInvoice(db, invoiceId)
}

const linesOfInvoice = prepared((db, invoiceId: string) =>
  db
    .selectFrom('invoiceLines')
    .select(invoiceLineColumns)
    .where('invoiceId', '=', invoiceId)
    .orderBy('position')
    .compile(),
)

/**
 * Writes the patch if the row is still at the version that was read, and answers it as it is now; undefined when it lost a
 * race.
 */
export async function updateInvoice<Row extends Versioned>(
  db: Db,
  row: Row,
  patch: InvoicePatch,
): Promise<Row | undefined> {
  const change = changeOf(row, patch)
  return (await updating(db, change)).length > 0 ? changed(row, change) : undefined
}

const updateOf = (db: Db, { id, version, set }: VersionedChange<InvoicePatch>) =>
  db.updateTable('invoices').set(set).where('id', '=', id).where('version', '=', version).returning('id')

const updating = preparedForms((db, change: VersionedChange<InvoicePatch>) => updateOf(db, change).compile())

/** An entry of an invoice's timeline. */
export interface Told {
  readonly at: Date
  readonly kind: string
  readonly detail: string
}

/** A change of an invoice with what is told of it. */
export interface ToldChange {
  readonly patch: InvoicePatch
  readonly told: Told
}

interface LockingChange extends ToldChange {
  /** A customer whose access is locked with it, as `lockAccess` does: in a transaction only. */
  readonly accessOf?: string | undefined
}

/** The same, with the entry of the invoice's timeline that says so, in one statement. */
export async function updateInvoiceAndTell<Row extends Versioned>(
  db: Db,
  row: Row,
  { patch, told, accessOf }: LockingChange,
): Promise<Row | undefined> {
  const change = changeOf(row, patch)
  const locked = accessOf === undefined ? undefined : accessKey(accessOf)
  return (await updatingAndTelling(db, { change, ...told, locked })).length > 0
    ? changed(row, change)
    : undefined
}

/** An invoice, and who its customer is at its app. */
export interface LinkedInvoice {
  readonly row: InvoiceRow
  readonly link: Selectable<CustomerApps> | null
}

/** The same; answers who its customer is at its app too, for what is asked of Stripe next. */
export async function updateInvoiceAndLink(
  db: Db,
  row: InvoiceRow,
  { patch, told }: ToldChange,
): Promise<LinkedInvoice | undefined> {
  const change = changeOf(row, patch)
  const { customerId, appId } = row
  const [found] = await updatingAndTelling(db, { change, ...told, linked: { customerId, appId } })
  return found && { row: changed(row, change), link: linkOf(found.link) }
}

interface Telling extends Told {
  readonly change: VersionedChange<InvoicePatch>
  readonly locked?: string | undefined
  readonly linked?: { readonly customerId: string; readonly appId: string }
}

const linkDocument = ({ customerId, appId }: Required<Telling>['linked']) => sql<RowDocument | null>`(
  select to_jsonb(l) from customer_apps l where l.customer_id = ${customerId} and l.app_id = ${appId})`

const updatingAndTelling = preparedForms((db, { change, at, kind, detail, locked, linked }: Telling) =>
  db
    .with('written', () => updateOf(db, change))
    .insertInto('timeline')
    .columns(['subjectType', 'subjectId', 'at', 'kind', 'detail'])
    .expression((eb) =>
      eb
        .selectFrom('written')
        .select([
          sql.lit('invoice').as('subjectType'),
          'written.id',
          sql<Date>`${at}::timestamptz`.as('at'),
          sql<string>`${kind}::text`.as('kind'),
          sql<string>`${detail}::text`.as('detail'),
        ]),
    )
    .returning([
      'subjectId',
      ...(locked === undefined ? [] : [accessLock(locked).as('locked')]),
      ...(linked === undefined ? [] : [linkDocument(linked).as('link')]),
    ])
    .compile(),
)

/** Stripe's tax of each line, adopted after finalizing. */
export async function setLineTaxes(
  db: Db,
  taxes: readonly {
    readonly lineId: string
    readonly taxMinor: bigint
    /** The part that the line's amount holds already. */
    readonly includedMinor: bigint
  }[],
): Promise<void> {
  for (const { lineId, taxMinor, includedMinor } of taxes) {
    await db
      .updateTable('invoiceLines')
      .set((eb) => ({
        taxMinor: taxMinor.toString(),
        totalMinor: eb(
          eb('amountMinor', '-', eb.ref('discountMinor')),
          '+',
          (taxMinor - includedMinor).toString(),
        ),
      }))
      .where('id', '=', lineId)
      .execute()
  }
}

/** Records an accepted command; false when this request id was accepted before. */
export async function recordInvoiceCommand(
  db: Db,
  command: { readonly invoiceId: string; readonly requestId: string; readonly kind: string },
): Promise<boolean> {
  const result = await db
    .insertInto('invoiceCommands')
    .values(command)
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
}

/** Whether a command with this request id was accepted before. */
export async function wasInvoiceCommandAccepted(
  db: Db,
  command: { readonly invoiceId: string; readonly requestId: string },
): Promise<boolean> {
  const row = await db
    .selectFrom('invoiceCommands')
    .select('kind')
    .where('invoiceId', '=', command.invoiceId)
    .where('requestId', '=', command.requestId)
    .executeTakeFirst()
  return row !== undefined
}
