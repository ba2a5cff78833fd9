-- A payment method came: which of the Stripe customer's invoices wait for one (billing rule 32).
CREATE INDEX invoices_method_needed ON invoices (stripe_customer_id) WHERE substatus = 'payment_method_needed';
