import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { poolUse } from '../db/connection.ts'
import type { Database } from '../db/connection.ts'

/** A registry of its own for each process, so that several can live in one: no global state. */
export function processRegistry(db: Database): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const connections: Gauge = new Gauge({
    name: 'perennial_database_connections',
    help: 'Connections of this process’s pool: open, of them idle; and queries waiting for one',
    labelNames: ['state'],
    registers: [],
    collect() {
      const { open, idle, waiting } = poolUse(db)
      connections.set({ state: 'open' }, open)
      connections.set({ state: 'idle' }, idle)
      connections.set({ state: 'waiting' }, waiting)
    },
  })
  registry.registerMetric(connections)
  return registry
}
