-- outside a transaction
-- Written off, and Stripe is to be asked once more whether they were paid all the same: mostly none are.
CREATE INDEX CONCURRENTLY IF NOT EXISTS invoices_written_off_due ON invoices (id)
  WHERE status = 'uncollectible' AND next_due_at IS NOT NULL;
