import type { Context } from './context.ts'
import type { Shape, Values } from './params.ts'
import { list, readParams, required, text } from './params.ts'

export type Method = 'GET' | 'POST' | 'DELETE'
export type Raw = Readonly<Record<string, unknown>>

/** A request that has been read, not yet executed. */
export interface Ready {
  readonly expand: readonly string[]
  readonly run: (ctx: Context, path: readonly string[]) => object
}

/** One endpoint: validation (`read`) is apart from execution, for only what executes is saved under a key. */
export interface Route {
  readonly method: Method
  readonly pattern: string
  /** The parameters it knows, built or not. */
  readonly names: readonly string[]
  readonly read: (raw: Raw) => Ready
}

type Handler<S> = (ctx: Context, values: Values<S>, path: readonly string[]) => object

const expandable = list(required(text()), 50)

/** Declares an endpoint; `:id` in the pattern becomes an element of the handler's `path`. */
export function route<const S extends Shape>(
  method: Method,
  pattern: string,
  endpoint: readonly [S, Handler<S>],
): Route {
  const [shape, handler] = endpoint
  const read = (raw: Raw): Ready => {
    const { expand, ...rest } = raw
    const values = readParams(shape, rest)
    return {
      expand: expand === undefined ? [] : (expandable.read(expand, 'expand') ?? []),
      run: (ctx, path) => handler(ctx, values, path),
    }
  }
  return { method, pattern, names: Object.keys(shape), read }
}

interface Match {
  readonly route: Route
  readonly path: readonly string[]
}

/** Finds the route of a request; a literal segment wins over `:id`. */
export function createRouter(routes: readonly Route[]): (method: string, path: string) => Match | undefined {
  const compiled = routes
    .map((route) => ({ route, segments: route.pattern.split('/') }))
    .toSorted((a, b) => a.route.pattern.split(':').length - b.route.pattern.split(':').length)
  return (method, path) => {
    const parts = path.split('/')
    for (const { route, segments } of compiled) {
      if (route.method !== method || segments.length !== parts.length) continue
      if (!segments.every((segment, i) => segment.startsWith(':') || segment === parts[i])) continue
      const values = parts.filter((_, i) => segments[i]?.startsWith(':')).map(decodeURIComponent)
      return { route, path: values }
    }
    return undefined
  }
}

/** The first element of a path: the object's id. */
export function idOf(path: readonly string[]): string {
  return path[0] ?? ''
}
