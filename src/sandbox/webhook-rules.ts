import { newId } from './ids.ts'

/** What a rule does to the deliveries it takes; the retry after a tampered try is sound. */
export const webhookActions = [
  'drop',
  'delay',
  'duplicate',
  'duplicate_new_id',
  'reorder',
  'wrong_signature',
  'old_timestamp',
  'hold',
] as const
export type WebhookAction = (typeof webhookActions)[number]

export interface WebhookRule {
  readonly action: WebhookAction
  /** A regular expression on the event's type; absent: any. */
  readonly type?: string
  readonly endpoint?: string
  readonly nth?: number
  /** 0 is all. */
  readonly times?: number
  /** For `delay`. */
  readonly delayMs?: number
  /** For `reorder`: how many deliveries are collected before they go out backwards. */
  readonly count?: number
}

export interface ActiveRule extends WebhookRule {
  readonly id: string
  readonly seen: number
  /** How many deliveries it took. */
  readonly hits: number
}

/** The rules in force; a delivery is looked at once, before its first try. */
export interface WebhookRules {
  readonly add: (rule: WebhookRule) => ActiveRule
  readonly list: () => readonly ActiveRule[]
  readonly clear: (id?: string) => void
  readonly take: (type: string, endpoint: string) => ActiveRule | undefined
}

export function createWebhookRules(): WebhookRules {
  let rules: readonly ActiveRule[] = []
  const matches = (rule: ActiveRule, type: string, endpoint: string) =>
    (rule.type === undefined || new RegExp(rule.type).test(type)) &&
    (rule.endpoint === undefined || rule.endpoint === endpoint)
  return {
    add: (rule) => {
      const active = { ...rule, id: newId('rule'), seen: 0, hits: 0 }
      rules = [...rules, active]
      return active
    },
    list: () => rules,
    clear: (id) => {
      rules = id === undefined ? [] : rules.filter((rule) => rule.id !== id)
    },
    take: (type, endpoint) => {
      rules = rules.map((rule) => (matches(rule, type, endpoint) ? { ...rule, seen: rule.seen + 1 } : rule))
      const taking = rules.find(({ nth = 1, times = 1, ...rule }) => {
        const isHit = rule.seen >= nth && (times === 0 || rule.seen < nth + times)
        return isHit && matches({ ...rule, nth, times }, type, endpoint)
      })
      rules = rules.map((rule) => (rule === taking ? { ...rule, hits: rule.hits + 1 } : rule))
      return taking
    },
  }
}
