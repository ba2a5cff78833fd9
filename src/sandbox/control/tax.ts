import { changeTaxSettings, showTaxSettings } from '../resources/tax-settings.ts'
import type { Call, ControlDeps, Handler } from './call.ts'
import { asRecord, BadCall, changing } from './call.ts'

function setTax(deps: ControlDeps, { body }: Call): unknown {
  const { status, failing } = asRecord(body)
  if (status !== undefined && status !== 'active' && status !== 'pending')
    throw new BadCall('status must be active or pending')
  return changing(deps, (ctx) => {
    changeTaxSettings(ctx, {
      ...(status === undefined ? {} : { status }),
      ...(typeof failing === 'boolean' ? { isFailing: failing } : {}),
    })
    return showTaxSettings(ctx)
  })
}

/** Whether tax is set up, and whether its calculation works. */
export const taxHandlers: Readonly<Record<string, Handler>> = {
  'GET /tax': ({ context }) => showTaxSettings(context()),
  'POST /tax': setTax,
}
