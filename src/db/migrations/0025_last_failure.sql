-- When the newest failure of its payment was heard of: the retry that follows is the first that was planned for later.
ALTER TABLE invoices ADD COLUMN last_failed_at timestamptz;
