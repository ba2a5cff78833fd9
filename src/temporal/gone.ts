/** The workflow has ended, or never began. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && error.name === 'WorkflowNotFoundError'
}
