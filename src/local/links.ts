import pc from 'picocolors'
import type { DemoInvoice } from './demo/invoices.ts'
import type { Instance } from './stack.ts'

/** The page of a workflow in the Temporal UI. */
export function workflowUrl(instance: Instance, workflowId: string): string | null {
  if (instance.temporalUiUrl === null) return null
  return `${instance.temporalUiUrl}/namespaces/${instance.temporalNamespace}/workflows/${encodeURIComponent(workflowId)}`
}

/** Where to look next, one line each. */
export function instanceLinks(instance: Instance): string {
  const rows: [string, string][] = [
    ['API', `${instance.apiUrl}/api/v1`],
    ['API reference', `${instance.apiUrl}/docs`],
  ]
  if (instance.temporalUiUrl !== null) {
    rows.push(['Temporal UI', `${instance.temporalUiUrl}/namespaces/${instance.temporalNamespace}/workflows`])
  }
  rows.push([instance.isSandbox ? 'Stripe sandbox' : 'Stripe', instance.stripeUrl])
  return rows.map(([name, url]) => `  ${name.padEnd(16)}${pc.cyan(url)}`).join('\n')
}

/** For each invoice, its page for the payer and its workflow for the operator. */
export function invoiceLinks(instance: Instance, invoices: readonly DemoInvoice[]): string {
  const width = Math.max(0, ...invoices.map((invoice) => invoice.number.length)) + 2
  return invoices
    .map((invoice) => {
      const workflow = invoice.workflowId === null ? null : workflowUrl(instance, invoice.workflowId)
      const lines = [invoice.hostedUrl, workflow].filter((url) => url !== null).map((url) => pc.cyan(url))
      return `  ${invoice.number.padEnd(width)}${lines.join(`\n  ${' '.repeat(width)}`)}`
    })
    .join('\n')
}
