import { waitFor } from './scenario.ts'
import { steerSandbox } from './stripe-client.ts'

/** A request that the sandbox holds: what happens meanwhile happens in that order on any machine. */
export interface HeldRequest {
  /** How often the product has sent it. */
  readonly sent: () => Promise<number>
  /** Waits until the product has sent it. */
  readonly arrived: () => Promise<void>
  /** It goes on, and so does whoever waits for its reply. */
  readonly letGo: () => Promise<void>
}

interface Held {
  /** Executed once it is let go, or at once and answered then. */
  readonly kind: 'hold' | 'hold_after'
  readonly method?: string
  /** A regular expression. */
  readonly path: string
  /** 0: every one. */
  readonly times?: 0
}

/** Holds the next such request of the product; deleting all faults lets it go, too. */
export async function holdRequest(sandboxUrl: string, rule: Held): Promise<HeldRequest> {
  const { id } = await steerSandbox<{ id: string }>(sandboxUrl, {
    method: 'POST',
    path: '/faults',
    body: rule,
  })
  const sent = async (): Promise<number> => {
    const { faults } = await steerSandbox<{ faults: readonly { id: string; hits: number }[] }>(sandboxUrl, {
      method: 'GET',
      path: '/faults',
    })
    return faults.find((fault) => fault.id === id)?.hits ?? 0
  }
  return {
    sent,
    arrived: async () => void (await waitFor(sent, (times) => times > 0)),
    letGo: async () => void (await steerSandbox(sandboxUrl, { method: 'DELETE', path: `/faults/${id}` })),
  }
}
