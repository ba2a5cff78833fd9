/** When a subscription's access opens: at once, or once its first invoice is paid. */
export type AccessGate = 'none' | 'first_invoice'
