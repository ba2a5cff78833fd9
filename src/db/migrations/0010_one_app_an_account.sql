-- An account's webhooks would arrive at each of two apps. Test and live mode of an account are two worlds at Stripe.
CREATE UNIQUE INDEX apps_account_live ON apps (stripe_account_id, livemode) WHERE deleted_at IS NULL;
