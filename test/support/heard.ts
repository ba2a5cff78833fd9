import type { Installation } from './installation.ts'
import { waitFor } from './scenario.ts'
import { steerSandbox } from './stripe-client.ts'

/**
 * Waits until everything that Stripe tells of a customer of its own has come and was acted on: what is done there is told
 * of by several events, and one that comes later than the next thing a test does may undo it.
 */
export async function heardOf(
  { sandboxUrl, database }: Pick<Installation, 'sandboxUrl' | 'database'>,
  stripeCustomerId: string,
): Promise<void> {
  await waitFor(
    async () => {
      const { pending } = await steerSandbox<{ pending: number }>(sandboxUrl, {
        method: 'GET',
        path: '/settled',
      })
      const open = await database.db
        .selectFrom('stripeEvents')
        .select('eventId')
        .where('processedAt', 'is', null)
        // One that is about something of theirs may not name them: none is left that was not tried at all.
        .where((eb) => eb.or([eb('objectId', '=', stripeCustomerId), eb('attempts', '=', 0)]))
        .execute()
      return pending + open.length
    },
    (onTheWay) => onTheWay === 0,
  )
}
