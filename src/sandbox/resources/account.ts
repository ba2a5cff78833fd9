import { route } from '../route.ts'

/** The one account of the sandbox. */
export const ACCOUNT_ID = 'acct_1SandboxPerennial'

const account = {
  id: ACCOUNT_ID,
  object: 'account',
  business_profile: {
    mcc: null,
    name: 'Sandbox',
    product_description: null,
    support_email: null,
    support_phone: null,
    url: null,
  },
  business_type: null,
  capabilities: { card_payments: 'active', transfers: 'active' },
  charges_enabled: true,
  controller: { type: 'account' },
  country: 'US',
  created: 1_700_000_000,
  default_currency: 'usd',
  details_submitted: true,
  email: 'sandbox@example.com',
  external_accounts: {
    object: 'list',
    data: [],
    has_more: false,
    total_count: 0,
    url: `/v1/accounts/${ACCOUNT_ID}/external_accounts`,
  },
  metadata: {},
  payouts_enabled: true,
  settings: { dashboard: { display_name: 'Sandbox', timezone: 'Etc/UTC' } },
  tos_acceptance: { date: null, ip: null, user_agent: null },
  type: 'standard',
}

export const accountRoutes = [
  route('GET', '/v1/account', [{}, (ctx) => ({ ...account, id: ctx.account ?? ACCOUNT_ID })]),
]
