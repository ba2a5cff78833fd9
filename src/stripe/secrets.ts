import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import type { SecretOwner } from './types.ts'

const version = 'v1'
const cipherName = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16
const keyBytes = 32

export interface SecretBox {
  readonly seal: (plain: string, owner: SecretOwner) => string
  readonly open: (sealed: string, owner: SecretOwner) => string
}

/**
 * Seals secrets for the database. Each has a data key of its own, wrapped by the master key, so that a new master key
 * means wrapping again and not encrypting again. App, field and version are authenticated: a value copied to another
 * row or column does not open. Form: `v1.<wrapped key>.<ciphertext>`, each part iv + tag + data in base64url.
 */
export function createSecretBox(masterKey: Buffer | string): SecretBox {
  const wrappingKey = deriveWrappingKey(masterKey)
  return {
    seal(plain, owner) {
      const dataKey = randomBytes(keyBytes)
      const wrapped = encrypt(wrappingKey, dataKey, boundTo(owner, 'key'))
      const sealed = encrypt(dataKey, Buffer.from(plain, 'utf8'), boundTo(owner, 'secret'))
      return [version, wrapped.toString('base64url'), sealed.toString('base64url')].join('.')
    },
    open(sealed, owner) {
      const [found, wrapped, secret, ...rest] = sealed.split('.')
      if (found !== version || wrapped === undefined || secret === undefined || rest.length > 0) {
        throw unreadable(owner)
      }
      try {
        const dataKey = decrypt(wrappingKey, Buffer.from(wrapped, 'base64url'), boundTo(owner, 'key'))
        return decrypt(dataKey, Buffer.from(secret, 'base64url'), boundTo(owner, 'secret')).toString('utf8')
      } catch {
        throw unreadable(owner)
      }
    },
  }
}

/** All of a key that may be shown: its prefix and its last four characters. */
export function maskKey(key: string): string {
  const prefix = /^[a-z]+_(?:test|live)_/.exec(key)?.[0] ?? ''
  const rest = key.slice(prefix.length)
  return `${prefix}…${rest.length > 8 ? rest.slice(-4) : ''}`
}

function deriveWrappingKey(masterKey: Buffer | string): Buffer {
  const material = typeof masterKey === 'string' ? Buffer.from(masterKey, 'utf8') : masterKey
  if (material.length < keyBytes) throw new RangeError(`the master key needs at least ${keyBytes} bytes`)
  return Buffer.from(hkdfSync('sha256', material, 'perennial', 'stripe-secrets', keyBytes))
}

function boundTo(owner: SecretOwner, part: 'key' | 'secret'): Buffer {
  return Buffer.from([owner.appId, owner.field, version, part].join('|'), 'utf8')
}

function encrypt(key: Buffer, plain: Buffer, additional: Buffer): Buffer {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv(cipherName, key, iv, { authTagLength: tagBytes }).setAAD(additional)
  const data = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), data])
}

function decrypt(key: Buffer, sealed: Buffer, additional: Buffer): Buffer {
  const iv = sealed.subarray(0, ivBytes)
  const tag = sealed.subarray(ivBytes, ivBytes + tagBytes)
  const decipher = createDecipheriv(cipherName, key, iv, { authTagLength: tagBytes })
  decipher.setAAD(additional).setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed.subarray(ivBytes + tagBytes)), decipher.final()])
}

function unreadable(owner: SecretOwner): DomainError {
  return new DomainError(
    'stripe_secret_unreadable',
    `the ${owner.field} of app ${owner.appId} does not open with this master key`,
  )
}
