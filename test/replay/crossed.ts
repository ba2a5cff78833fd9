import type { RecordedEvent, RecordedHistory } from './history-files.ts'

interface Payloads {
  readonly payloads?: readonly { readonly data?: string }[]
}

type Attributes = Readonly<Record<string, unknown>> & {
  readonly signalName?: string
  readonly activityType?: { readonly name: string }
  readonly workflowType?: { readonly name: string }
  readonly markerName?: string
  readonly failure?: object
  readonly details?: Readonly<Record<string, Payloads>>
  readonly input?: Payloads
  readonly acceptedRequest?: { readonly input?: { readonly name?: string; readonly args?: Payloads } }
}

/** What a recorded history went through, one word each, e.g. `subscription signal poke` or `invoice command void`. */
export function crossedBy({ history }: RecordedHistory): readonly string[] {
  const type = attributesOf(history.events[0]).workflowType?.name ?? ''
  return history.events.flatMap(wordsOf).map((word) => `${type} ${word}`)
}

function wordsOf(event: RecordedEvent): readonly string[] {
  const attributes = attributesOf(event)
  switch (event.eventType.replace('EVENT_TYPE_', '')) {
    case 'WORKFLOW_EXECUTION_STARTED': {
      const [input] = decoded(attributes.input) as { clock?: { kind: string } }[]
      return input?.clock === undefined ? [] : [`clock ${input.clock.kind}`]
    }
    case 'WORKFLOW_EXECUTION_SIGNALED':
      return [`signal ${attributes.signalName}`]
    case 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED': {
      const { name, args } = attributes.acceptedRequest?.input ?? {}
      const [command] = decoded(args) as { kind: string }[]
      return [`update ${name}`, `command ${command?.kind}`]
    }
    case 'WORKFLOW_EXECUTION_UPDATE_COMPLETED':
      return 'failure' in (attributes['outcome'] as object) ? ['refusal'] : []
    case 'ACTIVITY_TASK_SCHEDULED':
      return [`activity ${attributes.activityType?.name}`]
    case 'MARKER_RECORDED':
      return markerWords(attributes)
    case 'TIMER_FIRED':
      return ['timer']
    case 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW':
      return ['continued as new']
    case 'WORKFLOW_EXECUTION_COMPLETED':
      return ['end']
    default:
      return []
  }
}

function markerWords({ markerName, details = {}, failure }: Attributes): readonly string[] {
  if (markerName === 'core_local_activity') {
    const [data] = decoded(details['data']) as { activity_type: string; backoff: unknown }[]
    const after = data?.backoff == null ? 'failure' : 'retry'
    return [`local ${failure === undefined ? 'activity' : after} ${data?.activity_type}`]
  }
  const [patch] = decoded(details['patch-data']) as { id: string }[]
  return [`patch ${patch?.id}`]
}

function attributesOf(event: RecordedEvent | undefined): Attributes {
  const found = Object.entries(event ?? {}).find(([key]) => key.endsWith('EventAttributes'))
  return (found?.[1] ?? {}) as Attributes
}

const decoded = (payloads: Payloads | undefined): readonly unknown[] =>
  (payloads?.payloads ?? []).map(({ data = '' }) => JSON.parse(Buffer.from(data, 'base64').toString()))
