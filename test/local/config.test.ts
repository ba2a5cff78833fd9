import { expect, test } from 'vitest'
import { ConfigError, readConfig, readLocalSettings } from '../../src/config.ts'

const complete = {
  DATABASE_URL: 'postgres://user:secret@127.0.0.1:5432/perennial',
  PERENNIAL_MASTER_KEY: 'k'.repeat(32),
}

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

test('an environment with the two required variables gets every default', () => {
  const config = readConfig(complete)
  expect(config).toMatchObject({
    host: '127.0.0.1',
    port: 8888,
    publicUrl: 'http://127.0.0.1:8888',
    closeJitterMs: 0,
  })
  expect(config.temporal).toEqual({ address: '127.0.0.1:7233', namespace: 'default', taskQueue: 'perennial' })
  expect(config.stripe).toEqual({ baseUrl: undefined, allowLiveKeys: false })
})

test('everything that is wrong is said at once, each with its variable', () => {
  const problems = problemsOf({ PORT: '70000', LOG_LEVEL: 'loud', STRIPE_ALLOW_LIVE_KEYS: 'yes' })
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'PORT',
    'DATABASE_URL',
    'STRIPE_ALLOW_LIVE_KEYS',
    'PERENNIAL_MASTER_KEY',
    'LOG_LEVEL',
  ])
})

test('a database address that is wrong is not repeated, since it carries a password', () => {
  const [problem] = problemsOf({ ...complete, DATABASE_URL: 'mysql://user:secret@127.0.0.1/db' })
  expect(problem).toContain('DATABASE_URL')
  expect(problem).not.toContain('secret')
})

test('an empty variable is the same as none', () => {
  expect(readConfig({ ...complete, PORT: '', PUBLIC_URL: '' }).port).toBe(8888)
})

test('localhost is one address: of two, a stopping API would drain one', () => {
  expect(readConfig({ ...complete, HOST: 'localhost' }).host).toBe('127.0.0.1')
})

test('a local start takes no live key', () => {
  expect(() => readLocalSettings({ STRIPE_API_KEY: 'sk_live_abc' })).toThrow(ConfigError)
  expect(readLocalSettings({ STRIPE_API_KEY: 'rk_test_abc' }).stripeApiKey).toBe('rk_test_abc')
})
