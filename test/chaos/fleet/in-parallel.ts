/** Works on all of them, on so many at a time; the results are in the order of what they are of. */
export async function inParallel<T, R>(
  from: readonly T[],
  lanes: number,
  work: (one: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const left = from.entries()
  const lane = async (): Promise<void> => {
    for (const [index, one] of left) results[index] = await work(one)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return results
}
