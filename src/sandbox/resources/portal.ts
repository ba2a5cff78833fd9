import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { newId, randomText } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  hash,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  page,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { CustomerRecord, PortalConfigurationRecord, PortalSessionRecord } from '../records.ts'

const switched = hash({ enabled: required(boolean) })
const features = {
  customer_update: hash({ enabled: required(boolean), allowed_updates: list(required(text())) }),
  invoice_history: switched,
  payment_method_update: hash({ enabled: required(boolean), payment_method_configuration: text() }),
  subscription_cancel: switched,
  subscription_update: switched,
}
const configurationShape = {
  business_profile: hash({ headline: text(60), privacy_policy_url: text(), terms_of_service_url: text() }),
  default_return_url: text(),
  features: hash(features),
  login_page: switched,
  metadata,
  name: text(),
}
const createShape = { ...configurationShape, features: required(hash(features)) }
const updateShape = { ...configurationShape, active: boolean }
type Edit = Values<typeof updateShape>

/** The sandbox has no subscriptions, so these features stay off whatever is asked. */
function featuresOf(
  given: Edit['features'],
  current: PortalConfigurationRecord['features'] | null,
): PortalConfigurationRecord['features'] {
  const off = { enabled: false }
  const base = current ?? {
    customer_update: { allowed_updates: [], enabled: false },
    invoice_history: off,
    payment_method_update: { ...off, payment_method_configuration: null },
  }
  return {
    ...base,
    ...given,
    subscription_cancel: off,
    subscription_update: off,
  } as unknown as PortalConfigurationRecord['features']
}

const loginOf = (origin: string, id: string, enabled: boolean) => ({
  enabled,
  url: enabled ? `${origin}/p/login/${id}` : null,
})

function withEdit(
  configuration: PortalConfigurationRecord,
  edit: Edit,
  origin: string,
): PortalConfigurationRecord {
  const { features: given, metadata: patch, business_profile: profile, login_page: login, ...plain } = edit
  return {
    ...configuration,
    ...plain,
    ...(profile
      ? {
          business_profile: { ...configuration.business_profile, ...profile },
        }
      : {}),
    ...(login ? { login_page: loginOf(origin, configuration.id, login.enabled) } : {}),
    features: given ? featuresOf(given, configuration.features) : configuration.features,
    metadata: mergeMetadata(configuration.metadata ?? {}, patch),
  }
}

function createConfiguration(ctx: Context, edit: Edit, isDefault = false): PortalConfigurationRecord {
  const created = Math.floor(ctx.nowMs() / 1000)
  const blank: PortalConfigurationRecord = {
    id: newId('bpc'),
    object: 'billing_portal.configuration',
    active: true,
    application: null,
    business_profile: { headline: null, privacy_policy_url: null, terms_of_service_url: null },
    created,
    default_return_url: null,
    features: featuresOf(null, null),
    is_default: isDefault,
    livemode: false,
    login_page: { enabled: false, url: null },
    metadata: {},
    name: null,
    updated: created,
  }
  return ctx.store.put('portalConfigurations', withEdit(blank, edit, ctx.origin))
}

const flowShape = hash({
  type: required(oneOf('payment_method_update', 'customer_update')),
  after_completion: hash({
    type: required(oneOf('hosted_confirmation', 'portal_homepage', 'redirect')),
    redirect: hash({ return_url: required(text()) }),
    hosted_confirmation: unbuilt,
  }),
})
const sessionShape = {
  customer: required(text()),
  configuration: text(),
  return_url: text(),
  flow_data: flowShape,
  locale: text(),
  on_behalf_of: unbuilt,
  after_expiration: unbuilt,
}

function defaultConfiguration(ctx: Context): PortalConfigurationRecord {
  const all = [...ctx.store.all('portalConfigurations')]
  const features = {
    customer_update: { enabled: true, allowed_updates: ['address', 'email', 'name', 'tax_id'] },
    payment_method_update: { enabled: true },
    invoice_history: { enabled: true },
  }
  return all.find((configuration) => configuration.is_default) ?? createConfiguration(ctx, { features }, true)
}

function createSession(ctx: Context, values: Values<typeof sessionShape>): object {
  const customer = requireCustomer(ctx, values.customer, 'customer')
  const configuration = values.configuration
    ? requireRecord(ctx, ['portalConfigurations', values.configuration], 'configuration')
    : defaultConfiguration(ctx)
  if (!configuration.active)
    throw refuse('The billing portal configuration is inactive.', { param: 'configuration' })
  const { return_url, flow_data, locale } = values
  return strip(openPortal(ctx, customer, { configuration, return_url, flow_data, locale }))
}

interface PortalInput {
  readonly configuration: PortalConfigurationRecord
  readonly return_url?: string | null | undefined
  readonly flow_data?: object | null | undefined
  readonly locale?: string | null | undefined
}

/** A customer's way into the portal. */
export function openPortal(ctx: Context, customer: CustomerRecord, values: PortalInput): PortalSessionRecord {
  const { configuration } = values
  const session = {
    id: newId('bps'),
    object: 'billing_portal.session',
    configuration: configuration.id,
    created: Math.floor(ctx.nowMs() / 1000),
    customer: customer.id,
    customer_account: null,
    flow: values.flow_data ? { after_completion: { type: 'portal_homepage' }, ...values.flow_data } : null,
    livemode: false,
    locale: values.locale ?? null,
    on_behalf_of: null,
    return_url: values.return_url ?? configuration.default_return_url,
    url: `${ctx.origin}/p/${randomText(40)}`,
  } as unknown as PortalSessionRecord
  return ctx.store.put('portalSessions', session)
}

const configurationAt = (ctx: Context, path: readonly string[]) =>
  requireRecord(ctx, ['portalConfigurations', idOf(path)])
const base = '/v1/billing_portal/configurations'

export const portalRoutes = [
  route('POST', base, [createShape, (ctx, values) => strip(createConfiguration(ctx, values))]),
  route('GET', base, [
    { ...page, active: boolean, is_default: boolean },
    (ctx, values) => {
      const filter = (c: PortalConfigurationRecord) =>
        (values.active === undefined || c.active === values.active) &&
        (values.is_default === undefined || c.is_default === values.is_default)
      return listPage(
        ctx,
        { table: 'portalConfigurations', kind: 'billing portal configuration', url: base, filter },
        values,
      )
    },
  ]),
  route('GET', `${base}/:id`, [{}, (ctx, _values, path) => strip(configurationAt(ctx, path))]),
  route('POST', `${base}/:id`, [
    updateShape,
    (ctx, values, path) =>
      strip(ctx.store.put('portalConfigurations', withEdit(configurationAt(ctx, path), values, ctx.origin))),
  ]),
  route('POST', '/v1/billing_portal/sessions', [sessionShape, createSession]),
]
