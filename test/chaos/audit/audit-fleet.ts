import { readTheirSide } from './at-stripe.ts'
import { checkBalances } from './balances.ts'
import { checkCharges, checkNumbers } from './charges.ts'
import { checkInvoices, checkPeriods } from './closings.ts'
import { findings } from './contract.ts'
import type { Audit, AuditTarget } from './contract.ts'
import { arrange } from './fleet.ts'
import { checkPromised } from './promised.ts'
import { checkEvents, checkRating } from './rated.ts'
import { readOurSide } from './rows.ts'
import { checkLogs, searchFor } from './secrets.ts'
import { checkTotals } from './totals.ts'
import { readAccepted } from './usage.ts'
import { checkWaiting, wantedOpen } from './waiting.ts'
import { visitNewest, visitWorkflows } from './workflows.ts'
import type { VisitedWorkflow, Workflow } from './workflows.ts'

/**
 * Counts what a fleet at rest has come to, from the rows by plain SQL and from the sandbox's own tables, without anything
 * of the product: it is right only where both sides and the arithmetic of this folder agree.
 */
export async function auditFleet(target: AuditTarget): Promise<Audit> {
  const histories = findings('histories and visibility hold no secrets')
  const search = searchFor(histories, target.secrets)
  const workflows: Workflow[] = []
  const visit = ({ text, ...workflow }: VisitedWorkflow): void => {
    search.in(`workflow ${workflow.id} (${workflow.runId})`, text)
    workflows.push(workflow)
  }
  await visitWorkflows(target, visit)
  const ours = await readOurSide(target.databaseUrl)
  const open = new Set(workflows.filter(({ status }) => status === 'RUNNING').map(({ id }) => id))
  const unlisted = wantedOpen(ours).filter((id) => !open.has(id))
  await visitNewest(target, unlisted, visit)
  const fleet = arrange({
    ours,
    theirs: await readTheirSide(target.sandboxUrl),
    accepted: await readAccepted(target.acceptedEventsFile),
    announced: target.announced ?? {},
  })
  return {
    checks: [
      checkPromised(fleet, target.promised),
      checkInvoices(fleet),
      checkTotals(fleet),
      checkBalances(fleet),
      checkEvents(fleet),
      checkRating(fleet),
      checkCharges(fleet),
      checkPeriods(fleet),
      checkWaiting(fleet, workflows),
      checkNumbers(fleet),
      await checkLogs(target),
      histories.check(),
    ],
  }
}
