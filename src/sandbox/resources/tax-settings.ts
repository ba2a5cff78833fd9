import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { hash, oneOf, required, text } from '../params.ts'
import { route } from '../route.ts'
import type { TaxSettingsRecord } from '../records.ts'

const THE_ONE = 'tax_settings'
const initial: TaxSettingsRecord = {
  id: THE_ONE,
  status: 'active',
  taxCode: 'txcd_10000000',
  taxBehavior: 'exclusive',
  headOffice: { city: null, country: 'US', line1: null, line2: null, postal_code: '94103', state: 'CA' },
  isFailing: false,
}

/** What the account has set up of tax; everything, until the control plane or a request says otherwise. */
export function taxSettings(ctx: Context): TaxSettingsRecord {
  return ctx.store.get('taxSettings', THE_ONE) ?? initial
}

/** Sets up tax, or makes it as if nobody ever had. */
export function changeTaxSettings(ctx: Context, patch: Partial<TaxSettingsRecord>): TaxSettingsRecord {
  return ctx.store.put('taxSettings', { ...taxSettings(ctx), ...patch })
}

/** As the API shows them; while pending, with what is missing [stripe docs: tax settings]. */
export function showTaxSettings(ctx: Context): object {
  const { status, taxCode, taxBehavior, headOffice } = taxSettings(ctx)
  const isActive = status === 'active'
  const details = isActive
    ? { active: {} }
    : { pending: { missing_fields: ['head_office', ...(taxCode === null ? ['defaults.tax_code'] : [])] } }
  return {
    object: 'tax.settings',
    defaults: { provider: 'stripe', tax_behavior: taxBehavior, tax_code: taxCode },
    head_office: isActive ? { address: headOffice } : null,
    livemode: false,
    status,
    status_details: details,
  }
}

/** Automatic tax asks for a head office first; the words are Stripe's [quoted in many repositories]. */
export function requireTaxActive(ctx: Context, enabled: boolean | undefined): void {
  if (enabled !== true || taxSettings(ctx).status === 'active') return
  throw refuse(
    'You must have a valid head office address to enable automatic tax calculation in test mode. ' +
      'Visit https://dashboard.stripe.com/test/settings/tax to update it.',
    { param: 'automatic_tax[enabled]' },
  )
}

const address = hash({
  city: text(),
  country: text(),
  line1: text(),
  line2: text(),
  postal_code: text(),
  state: text(),
})

export const taxSettingsRoutes = [
  route('GET', '/v1/tax/settings', [{}, (ctx) => showTaxSettings(ctx)]),
  route('POST', '/v1/tax/settings', [
    {
      defaults: hash({
        tax_behavior: oneOf('exclusive', 'inclusive', 'inferred_by_currency'),
        tax_code: text(),
      }),
      head_office: hash({ address: required(address) }),
    },
    (ctx, { defaults, head_office: office }) => {
      const nowhere = { city: null, country: null, line1: null, line2: null, postal_code: null, state: null }
      changeTaxSettings(ctx, {
        ...(defaults?.tax_behavior ? { taxBehavior: defaults.tax_behavior } : {}),
        ...(defaults?.tax_code ? { taxCode: defaults.tax_code } : {}),
        ...(office ? { status: 'active', headOffice: { ...nowhere, ...office.address } } : {}),
      })
      return showTaxSettings(ctx)
    },
  ]),
]
