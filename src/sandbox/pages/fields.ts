import type { Html } from './html.ts'
import { html } from './html.ts'

interface FieldOptions {
  readonly value?: string | null | undefined
  readonly autocomplete?: string
  readonly inputmode?: string
  readonly placeholder?: string
  readonly type?: 'text' | 'email'
  readonly required?: boolean
}

/** A text field with its label; the name is also the id. */
export function field(name: string, label: string, options: FieldOptions = {}): Html {
  const { value, autocomplete = 'off', inputmode = 'text', placeholder = '', type = 'text' } = options
  const required = options.required === false ? null : html` required`
  const optional = options.required === false ? html` <span class="soft">(optional)</span>` : null
  return html`<div>
    <label for="${name}">${label}${optional}</label>
    <input
      id="${name}"
      name="${name}"
      type="${type}"
      value="${value ?? ''}"
      placeholder="${placeholder}"
      inputmode="${inputmode}"
      autocomplete="${autocomplete}"
      ${required}
    />
  </div>`
}

/** Where customers live, as far as the pages offer. */
const countries: Readonly<Record<string, string>> = {
  AU: 'Australia',
  AT: 'Austria',
  BE: 'Belgium',
  BR: 'Brazil',
  CA: 'Canada',
  HR: 'Croatia',
  CZ: 'Czechia',
  DK: 'Denmark',
  FI: 'Finland',
  FR: 'France',
  DE: 'Germany',
  GR: 'Greece',
  HU: 'Hungary',
  IN: 'India',
  IE: 'Ireland',
  IT: 'Italy',
  JP: 'Japan',
  LU: 'Luxembourg',
  MX: 'Mexico',
  NL: 'Netherlands',
  NZ: 'New Zealand',
  NO: 'Norway',
  PL: 'Poland',
  PT: 'Portugal',
  RO: 'Romania',
  SG: 'Singapore',
  ES: 'Spain',
  SE: 'Sweden',
  CH: 'Switzerland',
  GB: 'United Kingdom',
  US: 'United States',
}

export interface ShownAddress {
  readonly line1?: string | null
  readonly line2?: string | null
  readonly city?: string | null
  readonly postal_code?: string | null
  readonly state?: string | null
  readonly country?: string | null
}

function countryField(selected: string): Html {
  const known = selected in countries || selected === '' ? countries : { ...countries, [selected]: selected }
  const options = Object.entries(known).map(
    ([code, name]) =>
      html`<option value="${code}" ${code === selected ? html`selected` : null}>${name}</option>`,
  )
  return html`<div>
    <label for="country">Country or region</label>
    <select id="country" name="country" autocomplete="country">
      ${options}
    </select>
  </div>`
}

/** A billing address: `line1`, `line2`, `city`, `postal_code`, `state`, `country`. */
export function addressFields(address: ShownAddress | null | undefined): Html {
  const { line1, line2, city, postal_code: postal, state, country } = address ?? {}
  return html`<fieldset>
    <legend>Billing address</legend>
    ${countryField(country ?? 'US')}
    ${field('line1', 'Address line 1', { value: line1, autocomplete: 'address-line1' })}
    ${field('line2', 'Address line 2', { value: line2, autocomplete: 'address-line2', required: false })}
    <div class="pair">
      ${field('postal_code', 'Postal code', { value: postal, autocomplete: 'postal-code' })}
      ${field('city', 'City', { value: city, autocomplete: 'address-level2' })}
    </div>
    ${field('state', 'State, county or province', { value: state, autocomplete: 'address-level1', required: false })}
  </fieldset>`
}

/** A card: `card`, `expiry`, `cvc` and `name`. */
export function cardFields(name?: string | null): Html {
  return html`<fieldset>
    <legend>Card</legend>
    ${field('card', 'Card number', {
      autocomplete: 'cc-number',
      inputmode: 'numeric',
      placeholder: '1234 1234 1234 1234',
    })}
    <div class="pair">
      ${field('expiry', 'Expiry (MM / YY)', { autocomplete: 'cc-exp', inputmode: 'numeric', placeholder: 'MM / YY' })}
      ${field('cvc', 'Security code (CVC)', { autocomplete: 'cc-csc', inputmode: 'numeric', placeholder: 'CVC' })}
    </div>
    ${field('name', 'Name on card', { value: name, autocomplete: 'cc-name' })}
  </fieldset>`
}
