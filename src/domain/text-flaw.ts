/** Why PostgreSQL's text cannot hold this: a NUL character, or half of a surrogate pair. */
export function textFlaw(text: string): 'nul' | 'surrogate' | null {
  if (text.includes('\0')) return 'nul'
  return text.isWellFormed() ? null : 'surrogate'
}
