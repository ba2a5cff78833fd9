import { Command } from 'commander'
import { jsonOption, withTarget } from '../options.ts'
import { printData, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { redrawnLine } from '../redrawn-line.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'

interface Finding {
  readonly kind: string
  readonly subject: string
  readonly detail: string
  readonly repaired: boolean
}

interface Answer {
  readonly examined: number
  readonly findings: readonly Finding[]
  readonly next?: string
}

type ReconcileOptions = TargetOptions & OutputOptions & { readonly dryRun?: boolean }

export function reconcileCommand(): Command {
  return withTarget(new Command('reconcile'))
    .description('Compare rows, workflows and Stripe, and repair what differs')
    .option('--dry-run', 'only report')
    .addOption(jsonOption())
    .action(reconcile)
}

async function reconcile(options: ReconcileOptions): Promise<void> {
  const api = targetApi(options)
  const line = redrawnLine(process.stderr)
  const findings: Finding[] = []
  let examined = 0
  let after: string | undefined
  do {
    const answer: Answer = await api.post<Answer>('/api/v1/reconciliation', {
      dryRun: options.dryRun ?? false,
      ...(after !== undefined && { after }),
    })
    findings.push(...answer.findings)
    examined += answer.examined
    after = answer.next
    line.draw(`${examined} compared, ${findings.length} found`, after === undefined)
  } while (after !== undefined)
  line.end()
  printData({ examined, findings }, options, () => describe(examined, findings))
}

function describe(examined: number, findings: readonly Finding[]): string {
  if (findings.length === 0) return `${examined} compared: all is as it should be`
  const rows = findings.map((one) => [one.kind, one.subject, one.repaired ? 'yes' : 'no', one.detail])
  return `${examined} compared\n\n${textTable(['finding', 'subject', 'repaired', 'detail'], rows)}`
}
