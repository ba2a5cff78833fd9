import { inspectKey } from './accounts.ts'
import { getAdjustments } from './adjustments.ts'
import { createCheckoutSession, getCheckoutSession, getSetupIntent } from './checkout.ts'
import { createConnections } from './client.ts'
import {
  attachPaymentMethod,
  createCustomer,
  getCustomer,
  getPaymentMethod,
  setCustomerEmail,
  setDefaultPaymentMethod,
} from './customers.ts'
import { listEvents, newestEventId } from './events.ts'
import {
  deleteDraft,
  finalizeInvoice,
  markUncollectible,
  payInvoice,
  sendInvoice,
  voidInvoice,
} from './invoice-collect.ts'
import { findInvoice, syncDraft, syncInvoice } from './invoice-sync.ts'
import { withoutTax } from './invoice-tax.ts'
import { getInvoice } from './invoice-view.ts'
import {
  createItem,
  deleteItem,
  findDraft,
  invoicesOnLines,
  lastInvoice,
  listItems,
  updateItem,
} from './invoice-items.ts'
import { createLimiter, stripeLimits } from './limiter.ts'
import { createPortalConfiguration, createPortalSession } from './portal.ts'
import { probePermissions } from './permissions.ts'
import { createSecretBox } from './secrets.ts'
import { advanceTestClock, createTestClock, getTestClock } from './test-clocks.ts'
import { getPrice, getSubscriber, getSubscription } from './subscriptions.ts'
import type { StripeGateway } from './gateway-types.ts'
import type { StripeGatewayOptions } from './types.ts'
import {
  checkWebhookEndpoint,
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  enableWebhookEndpoint,
  verifyWebhook,
} from './webhooks.ts'

const defaultTimeoutMs = 15_000

/** The one door to Stripe: every call that the product makes, each repeatable. */
export function createStripeGateway(options: StripeGatewayOptions): StripeGateway {
  const secrets = createSecretBox(options)
  const connections = createConnections({
    secrets,
    limiter: createLimiter(options.limits ?? stripeLimits),
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
    ...(options.baseUrl !== undefined && { baseUrl: options.baseUrl }),
    ...(options.keyWatch !== undefined && { keyWatch: options.keyWatch }),
    ...(options.observer !== undefined && { observer: options.observer }),
  })
  const policy = { allowLiveKeys: options.allowLiveKeys ?? false, elsewhere: options.baseUrl !== undefined }
  const { ofApp, ofKey } = connections
  return {
    inspectKey: (key) => inspectKey(connections, policy, key),
    probePermissions: async (key) => probePermissions(ofKey(key)),
    encryptSecret: secrets.seal,
    decryptSecret: secrets.open,
    resealSecret: secrets.reseal,

    createWebhookEndpoint: (key, request) => createWebhookEndpoint(ofKey(key), request),
    enableWebhookEndpoint: async (app) => {
      if (app.webhookEndpointId !== null) await enableWebhookEndpoint(ofApp(app), app.webhookEndpointId)
    },
    async deleteWebhookEndpoint(app) {
      if (app.webhookEndpointId !== null) await deleteWebhookEndpoint(ofApp(app), app.webhookEndpointId)
    },
    checkWebhookEndpoint: async (app) => checkWebhookEndpoint(ofApp(app), app.webhookEndpointId),
    verifyWebhook,
    listEvents: async (app, query) => listEvents(ofApp(app), query),
    newestEventId: async (app) => newestEventId(ofApp(app)),

    getCustomer: async (app, id) => getCustomer(ofApp(app), id),
    createCustomer: async (app, customer) => createCustomer(ofApp(app), customer),
    attachPaymentMethod: async (app, request) => attachPaymentMethod(ofApp(app), request),
    setDefaultPaymentMethod: async (app, request) => setDefaultPaymentMethod(ofApp(app), request),
    getPaymentMethod: async (app, id) => getPaymentMethod(ofApp(app), id),
    setCustomerEmail: async (app, request) => setCustomerEmail(ofApp(app), request),

    createCheckoutSession: async (app, session) => createCheckoutSession(ofApp(app), session),
    getCheckoutSession: async (app, id) => getCheckoutSession(ofApp(app), id),
    getSetupIntent: async (app, id) => getSetupIntent(ofApp(app), id),
    createPortalConfiguration: async (app, request) => createPortalConfiguration(ofApp(app), request),
    createPortalSession: async (app, request) => createPortalSession(ofApp(app), request),

    syncInvoice: async (app, invoice) => syncInvoice(ofApp(app), invoice),
    syncDraft: async (app, invoice) => syncDraft(ofApp(app), invoice),
    findInvoice: async (app, query) => findInvoice(ofApp(app), query),
    finalizeInvoice: async (app, invoice) => finalizeInvoice(ofApp(app), invoice),
    withoutTax: async (app, invoice) => withoutTax(ofApp(app), invoice),
    payInvoice: async (app, invoice) => payInvoice(ofApp(app), invoice),
    sendInvoice: async (app, invoice) => sendInvoice(ofApp(app), invoice),
    voidInvoice: async (app, invoice) => voidInvoice(ofApp(app), invoice),
    markUncollectible: async (app, invoice) => markUncollectible(ofApp(app), invoice),
    deleteDraft: async (app, id) => deleteDraft(ofApp(app), id),
    getAdjustments: async (app, source) => getAdjustments(ofApp(app), source),
    getInvoice: async (app, id) => getInvoice(ofApp(app), id),

    listItems: async (app, query) => listItems(ofApp(app), query),
    createItem: async (app, item) => createItem(ofApp(app), item),
    updateItem: async (app, id, item) => updateItem(ofApp(app), id, item),
    deleteItem: async (app, id) => deleteItem(ofApp(app), id),
    findDraft: async (app, subscriptionId) => findDraft(ofApp(app), subscriptionId),
    lastInvoice: async (app, request) => lastInvoice(ofApp(app), request),
    invoicesOnLines: async (app, id) => invoicesOnLines(ofApp(app), id),

    getPrice: async (app, id) => getPrice(ofApp(app), id),
    getSubscription: async (app, id) => getSubscription(ofApp(app), id),
    getSubscriber: async (app, id) => getSubscriber(ofApp(app), id),

    createTestClock: async (app, clock) => createTestClock(ofApp(app), clock),
    getTestClock: async (app, id) => getTestClock(ofApp(app), id),
    advanceTestClock: async (app, target) => advanceTestClock(ofApp(app), target),
  }
}
