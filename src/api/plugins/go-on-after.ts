/**
 * For a hook that has to wait now and then: with a callback, where there is nothing to wait for, a request goes on at once; an
 * async hook costs each a promise.
 */
export async function goOnAfter(work: Promise<unknown>, done: (error?: Error) => void): Promise<void> {
  try {
    await work
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}
