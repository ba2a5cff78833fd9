import { defineSearchAttributeKey } from '@temporalio/common'

/** What an operator can search by; registered at start. Nothing personal: visibility stores these in the clear. */
export const customerKeyAttribute = defineSearchAttributeKey('CustomerKey', 'KEYWORD')
export const planKeyAttribute = defineSearchAttributeKey('PlanKey', 'KEYWORD')
export const billingStatusAttribute = defineSearchAttributeKey('BillingStatus', 'KEYWORD')
export const invoiceStatusAttribute = defineSearchAttributeKey('InvoiceStatus', 'KEYWORD')
export const nextBillingTimeAttribute = defineSearchAttributeKey('NextBillingTime', 'DATETIME')
