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
  /** The same secret under the present master key; null where it is under it already. */
  readonly reseal: (sealed: string, owner: SecretOwner) => string | null
}

export interface MasterKeys {
  /** At least 32 bytes, or a text of at least 32 characters. Seals. */
  readonly masterKey: Buffer | string
  /** Of before: it opens what is not sealed anew yet, and seals nothing. */
  readonly previousMasterKey?: Buffer | string
}

interface Envelope {
  readonly wrapped: Buffer
  readonly secret: Buffer
}

/**
 * Seals secrets for the database. Each has a data key of its own, wrapped by the master key, so that a new master key
 * means wrapping again and not encrypting again. App, field and version are authenticated: a value copied to another
 * row or column does not open. Form: `v1.<wrapped key>.<ciphertext>`, each part iv + tag + data in base64url.
 */
export function createSecretBox({ masterKey, previousMasterKey }: MasterKeys): SecretBox {
  const present = deriveWrappingKey(masterKey)
  const previous = previousMasterKey === undefined ? [] : [deriveWrappingKey(previousMasterKey)]
  /** Which of the keys it is under is not written on it: the tag of AES-GCM tells. */
  const unwrap = ({ wrapped }: Envelope, owner: SecretOwner) => {
    for (const key of [present, ...previous]) {
      const dataKey = tryDecrypt(key, wrapped, boundTo(owner, 'key'))
      if (dataKey !== null) return { dataKey, isPresent: key === present }
    }
    throw unreadable(owner)
  }
  const decryptSecret = (dataKey: Buffer, { secret }: Envelope, owner: SecretOwner): string => {
    const plain = tryDecrypt(dataKey, secret, boundTo(owner, 'secret'))
    if (plain === null) throw unreadable(owner)
    return plain.toString('utf8')
  }
  return {
    seal(plain, owner) {
      const dataKey = randomBytes(keyBytes)
      return written({
        wrapped: encrypt(present, dataKey, boundTo(owner, 'key')),
        secret: encrypt(dataKey, Buffer.from(plain, 'utf8'), boundTo(owner, 'secret')),
      })
    },
    open(sealed, owner) {
      const envelope = read(sealed, owner)
      return decryptSecret(unwrap(envelope, owner).dataKey, envelope, owner)
    },
    reseal(sealed, owner) {
      const envelope = read(sealed, owner)
      const { dataKey, isPresent } = unwrap(envelope, owner)
      // A damaged secret is found now, while the key that made it is still at hand.
      decryptSecret(dataKey, envelope, owner)
      if (isPresent) return null
      return written({ ...envelope, wrapped: encrypt(present, dataKey, boundTo(owner, 'key')) })
    },
  }
}

function written({ wrapped, secret }: Envelope): string {
  return [version, wrapped.toString('base64url'), secret.toString('base64url')].join('.')
}

function read(sealed: string, owner: SecretOwner): Envelope {
  const [found, wrapped, secret, ...rest] = sealed.split('.')
  if (found !== version || wrapped === undefined || secret === undefined || rest.length > 0) {
    throw unreadable(owner)
  }
  return { wrapped: Buffer.from(wrapped, 'base64url'), secret: Buffer.from(secret, 'base64url') }
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

function tryDecrypt(key: Buffer, sealed: Buffer, additional: Buffer): Buffer | null {
  try {
    return decrypt(key, sealed, additional)
  } catch {
    return null
  }
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
    `the ${owner.field} of app ${owner.appId} does not open with the master keys given`,
  )
}
