#!/usr/bin/env node
// The command line runs from its TypeScript sources: there is no build to go stale.
import { register } from 'tsx/esm/api'

register()
await import('../cli.ts')
