/** One fact of the rows that is broken, and how it is put right again. */
export interface RowBreak {
  readonly what: string
  readonly apply: string
  readonly undo: string
  /** Each of these is among the violations. */
  readonly seen: readonly RegExp[]
}

const of = (key: string): string =>
  `(SELECT s.id FROM subscriptions s JOIN customers c ON c.id = s.customer_id WHERE c.key = '${key}')`

/** SQL for the id of a subscription's invoice of the first of a month. */
export const invoiceOf = (key: string, month: string): string =>
  `(SELECT id FROM invoices WHERE subscription_id = ${of(key)} AND closing_at = '2026-${month}-01T00:00:00Z')`

function rows(
  what: string,
  [apply, undo]: readonly [apply: string, undo: string],
  seen: readonly RegExp[],
): RowBreak {
  return { what, apply, undo, seen }
}

/** Sets a column to something else, and back. */
function column(
  table: string,
  { name, change, back, where }: Readonly<Record<'name' | 'change' | 'back' | 'where', string>>,
  seen: readonly RegExp[],
): RowBreak {
  const set = (value: string): string => `UPDATE ${table} SET ${name} = ${value} WHERE ${where}`
  return rows(`${table}.${name} is changed`, [set(change), set(back)], seen)
}

const line = (key: string, month: string, kind: string): string =>
  `invoice_id = ${invoiceOf(key, month)} AND kind = '${kind}'`
/** Not delivered, and not about to be. */
const later = `NULL, next_attempt_at = now() + interval '1 hour'`
const plusOne = (name: string) => ({ name, change: `${name} + 1`, back: `${name} - 1` })

/** What rows can be wrong in, a fact each; of the fleet of the test. */
export const rowBreaks: readonly RowBreak[] = [
  rows(
    'a closing is missing',
    [
      `UPDATE closings SET period_at = period_at + interval '1 hour'
       WHERE subscription_id = ${of('paid')} AND period_at = '2026-03-01T00:00:00Z'`,
      `UPDATE closings SET period_at = period_at - interval '1 hour'
       WHERE subscription_id = ${of('paid')} AND period_at = '2026-03-01T01:00:00Z'`,
    ],
    [/was closed 0 times at 2026-03-01T00/, /at 2026-03-01T01:00:00.000Z, which is not due/],
  ),
  rows(
    'an invoice is made twice',
    [
      `UPDATE closings SET invoice_id = ${invoiceOf('paid', '02')}
       WHERE subscription_id = ${of('paid')} AND period_at = '2026-03-01T00:00:00Z'`,
      `UPDATE closings SET invoice_id = ${invoiceOf('paid', '03')}
       WHERE subscription_id = ${of('paid')} AND period_at = '2026-03-01T00:00:00Z'`,
    ],
    [/belongs to 2 closings/, /belongs to 0 closings/],
  ),
  column(
    'invoices',
    {
      name: 'stripe_invoice_id',
      change: `stripe_invoice_id || 'x'`,
      back: `rtrim(stripe_invoice_id, 'x')`,
      where: `id = ${invoiceOf('paid', '02')}`,
    },
    [/names in_\w+x at Stripe, which has it as in_/],
  ),
  column('ledger_entries', { ...plusOne('amount_minor'), where: `id LIKE '%:voided'` }, [
    /:voided \(carried_out of 31\) is not what invoice \w+ shows/,
    /the ledger carries 31, its invoices 30/,
  ]),
  rows(
    'what was carried is not taken over',
    [
      `UPDATE ledger_entries SET kind = 'customer_balance_payment' WHERE kind = 'carried_in';
       UPDATE invoice_lines SET kind = 'flat' WHERE name = 'Carried balance'`,
      `UPDATE ledger_entries SET kind = 'carried_in' WHERE kind = 'customer_balance_payment';
       UPDATE invoice_lines SET kind = 'carried_balance' WHERE name = 'Carried balance'`,
    ],
    [/invoice \w+ took over 0, where 30 was carried/],
  ),
  rows(
    'a whole invoice is carried instead of collected',
    [
      `INSERT INTO ledger_entries (id, subscription_id, customer_id, currency, amount_minor, kind, invoice_id)
       SELECT 'swallowed', subscription_id, customer_id, currency, total_minor, 'carried_out', id
       FROM invoices WHERE id = ${invoiceOf('paid', '02')}`,
      `DELETE FROM ledger_entries WHERE id = 'swallowed'`,
    ],
    [/leaves 2800 to the next, 0 is right of 2800/],
  ),
  column(
    'closings',
    {
      name: 'usage_cutoff',
      change: `'3:3:' || usage_cutoff`,
      back: `substr(usage_cutoff, 5)`,
      where: `invoice_id = ${invoiceOf('paid', '02')}`,
    },
    [/event audit 1 was answered before the closing at 2026-02-01T00:00:00.000Z, which did not see it/],
  ),
  column(
    'subscriptions',
    { name: 'deleted_at', change: 'now()', back: 'NULL', where: `id = ${of('paid')}` },
    [/paid was told that they are subscribed, and has 0 subscriptions/],
  ),
  rows(
    'what was voided and canceled is not',
    [
      `UPDATE invoices SET status = 'issued' WHERE id = ${invoiceOf('voided', '03')};
       UPDATE subscriptions SET active_to = NULL WHERE id = ${of('given up')}`,
      `UPDATE invoices SET status = 'voided' WHERE id = ${invoiceOf('voided', '03')};
       UPDATE subscriptions SET active_to = active_from WHERE id = ${of('given up')}`,
    ],
    [/was said to be voided, and is issued/, /was said to be canceled, and has no end/],
  ),
  rows(
    'a parked subscription was not closed',
    [
      `UPDATE subscriptions SET lifecycle = 'parked', lifecycle_reason = 'absurd' WHERE id = ${of('paid')};
       UPDATE closings SET reason = 'correction' WHERE subscription_id = ${of('paid')}`,
      `UPDATE subscriptions SET lifecycle = 'active', lifecycle_reason = NULL WHERE id = ${of('paid')};
       UPDATE closings SET reason = 'period' WHERE subscription_id = ${of('paid')}`,
    ],
    [/was closed 0 times at 2026-01-01/],
  ),
  column(
    'invoices',
    {
      name: 'status',
      change: `'issuing', substatus = 'failed', status_reason = 'a total'`,
      back: `'issued', substatus = NULL, status_reason = NULL`,
      where: `id = ${invoiceOf('emailed', '03')}`,
    },
    [/was not issued: a total/],
  ),
  column('invoices', { ...plusOne('total_minor'), where: `id = ${invoiceOf('paid', '02')}` }, [
    /its lines sum to 2800, its total is 2801/,
    /the total is 2801, at Stripe 2800/,
  ]),
  column('invoice_lines', { ...plusOne('amount_minor'), where: line('paid', '02', 'usage') }, [
    /its parts sum to 800, it has 801/,
    /bills 801, 800 is right for 800/,
  ]),
  column('invoice_lines', { ...plusOne('metered_quantity'), where: line('paid', '02', 'usage') }, [
    /counts 801, a recount 800/,
    /1108 billed and 40 not are not the 1147 that were sent/,
  ]),
  rows(
    'late usage is billed at its own price',
    [
      `UPDATE invoice_lines SET amount_minor = 300 WHERE ${line('paid', '03', 'late_usage')}`,
      `UPDATE invoice_lines SET amount_minor = 250 WHERE ${line('paid', '03', 'late_usage')}`,
    ],
    [/bills 300, 250 is right for 1100/],
  ),
  rows(
    'an event is stored twice',
    [
      `INSERT INTO events (source, id, type, subject, time, data, ingested_at)
       SELECT source, id, type, subject, time, data, ingested_at FROM events WHERE id = '6'`,
      `DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)`,
    ],
    [/event audit 6 is stored twice/],
  ),
  rows(
    'an event is lost, and another is there that nobody sent',
    [`UPDATE events SET id = 'other' WHERE id = '6'`, `UPDATE events SET id = '6' WHERE id = 'other'`],
    [/event audit 6 was accepted and is not stored/, /event audit other is stored, and was never accepted/],
  ),
  column(
    'events',
    { name: 'time', change: `time + interval '1 day'`, back: `time - interval '1 day'`, where: `id = '6'` },
    [/event audit 6 is not stored as it was sent/],
  ),
  column(
    'invoice_lines',
    {
      name: 'service_from',
      change: `service_from + interval '1 day'`,
      back: `service_from - interval '1 day'`,
      where: line('emailed', '02', 'usage'),
    },
    [/a gap or an overlap/],
  ),
  column(
    'invoice_lines',
    {
      name: 'line_key',
      change: `'main/base/2026-01-01T00:00:00.000Z'`,
      back: `'main/base/2026-02-01T00:00:00.000Z'`,
      where: line('emailed', '02', 'flat'),
    },
    [/2026-01-01T00:00:00.000Z was billed 2 times/, /2026-02-01T00:00:00.000Z was billed 0 times/],
  ),
  column(
    'subscriptions',
    {
      name: 'active_to',
      change: `'2026-02-10T00:00:00Z'`,
      back: `'2026-02-15T00:00:00Z'`,
      where: `id = ${of('canceled')}`,
    },
    [/beyond the end at 2026-02-10/],
  ),
  column(
    'invoices',
    {
      name: 'paid_minor',
      change: `paid_minor - 1`,
      back: `paid_minor + 1`,
      where: `id = ${invoiceOf('paid', '02')}`,
    },
    [/booked 2799, paid were 2800/],
  ),
  column(
    'invoices',
    { name: 'status', change: `'paid'`, back: `'issued'`, where: `id = ${invoiceOf('emailed', '03')}` },
    [/is paid, and open at Stripe/, /is paid here only/, /is paid\/-, its workflow open/],
  ),
  column(
    'invoices',
    {
      name: 'next_due_at',
      change: `next_due_at - interval '1 year'`,
      back: `next_due_at + interval '1 year'`,
      where: `id = ${invoiceOf('emailed', '03')}`,
    },
    [/was due at 2025/],
  ),
  column(
    'subscriptions',
    { name: 'next_due_at', change: 'NULL', back: `'2026-04-01T00:00:00Z'`, where: `id = ${of('emailed')}` },
    [/waits for nothing: active/],
  ),
  column(
    'outbox',
    { name: 'done_at', change: later, back: 'now()', where: 'id = (SELECT min(id) FROM outbox)' },
    [/outbox \d+ \(start_\w+ of \w+\) was not delivered/],
  ),
  column(
    'stripe_events',
    {
      name: 'processed_at',
      change: later,
      back: 'now()',
      where: 'event_id = (SELECT min(event_id) FROM stripe_events)',
    },
    [/inbox evt_\w+ .* was not delivered/],
  ),
  column(
    'invoices',
    {
      name: 'number',
      change: `number || '0'`,
      back: `left(number, -1)`,
      where: `number IN ('INV-000002', 'INV-0000020')`,
    },
    [
      /number INV-2 was given 0 times/,
      /20 are beyond the sequence/,
      /the number is INV-0000020, at Stripe INV-000002/,
    ],
  ),
]
