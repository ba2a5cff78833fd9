/** Work that nobody waits for any more; it goes on unheard. */
export class TooLong extends Error {
  override readonly name = 'TooLong'
}

/** The work's result, unless it takes longer: then it goes on unheard. Errors: TooLong. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLong(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
