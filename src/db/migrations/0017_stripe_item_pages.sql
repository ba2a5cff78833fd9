-- Where a person sees the Stripe invoice that an item is on.
ALTER TABLE stripe_items ADD COLUMN stripe_hosted_url text;
