/** Stripe's name of the permission to read events: what a key lacks is kept under these names. */
export const EVENTS_READ = 'rak_event_read'
