import { loadSettings } from '../../billing/settings.ts'
import { findApp } from '../../db/stores/apps.ts'
import type { AppRow } from '../../db/stores/apps.ts'
import { findDefaultProfile } from '../../db/stores/billing-profiles.ts'
import { DomainError, orNull } from '../../domain/errors.ts'
import type { ApiDeps } from '../deps.ts'
import { appOf } from './customer-links.ts'

/** Which Stripe account bills a customer, and in which currency where nobody says. */
export interface BillingApp {
  readonly app: AppRow
  readonly currency: string | null
}

/** The app that is named, else the one of the profile that bills the customer. Errors: validation_failed. */
export async function billingApp(
  deps: Pick<ApiDeps, 'db'>,
  customerId: string | null,
  appId?: string,
): Promise<BillingApp> {
  const profile = customerId === null ? await defaultSettings(deps) : await settingsOf(deps, customerId)
  const named = appId ?? profile?.appId
  const app = await appOf(deps, appId ?? ((await isInstalled(deps, named)) ? named : undefined))
  if (app.type !== 'stripe')
    throw new DomainError('validation_failed', `The app ${app.id} is not a Stripe account.`, {
      field: 'appId',
    })
  return { app, currency: profile?.currency ?? null }
}

interface Applied {
  readonly appId: string
  readonly currency: string | null
}

async function settingsOf({ db }: Pick<ApiDeps, 'db'>, customerId: string): Promise<Applied | null> {
  const settings = await orNull(loadSettings(db, customerId), 'profile_missing')
  return settings === null ? null : { appId: settings.app.id, currency: settings.defaultCurrency }
}

async function defaultSettings({ db }: Pick<ApiDeps, 'db'>): Promise<Applied | null> {
  const profile = await findDefaultProfile(db)
  if (profile === null) return null
  return { appId: profile.appId, currency: profile.defaultCurrency }
}

async function isInstalled({ db }: Pick<ApiDeps, 'db'>, appId: string | undefined): Promise<boolean> {
  return appId !== undefined && (await findApp(db, appId)) !== null
}
