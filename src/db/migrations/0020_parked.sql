-- Few are parked, however many there are; monitoring counts them every few seconds.
CREATE INDEX subscriptions_parked ON subscriptions (id) WHERE lifecycle = 'parked';
