type NullableKeys<T> = {
  [K in keyof T]-?: null extends T[K] ? K : undefined extends T[K] ? K : never
}[keyof T]

/** A row as an answer has it: what is null or undefined becomes an optional property that is left out. */
export type WithoutNulls<T> = { [K in Exclude<keyof T, NullableKeys<T>>]: T[K] } & {
  [K in NullableKeys<T>]?: NonNullable<T[K]>
}

/** Leaves out what is null or undefined (not inside nested values): the contract has optional fields, not null ones. */
export function withoutNulls<T extends object>(value: T): WithoutNulls<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined),
  ) as WithoutNulls<T>
}

/** An instant on the wire: RFC 3339 in UTC; null stays null. */
export function instant<T extends Date | null>(at: T): T extends Date ? string : string | null {
  return (at === null ? null : at.toISOString()) as T extends Date ? string : string | null
}
