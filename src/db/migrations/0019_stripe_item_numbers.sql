-- What the Stripe invoice that an item is on is called.
ALTER TABLE stripe_items ADD COLUMN stripe_invoice_number text;
