import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresConnection } from '#services/store/postgres-url.ts'

let folder = ''
let ca = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepstore-url-'))
  ca = join(folder, 'ca.pem')
  writeFileSync(ca, 'PEM')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a URL of Postgres', () => {
  test('gives host, port, names and password, decoded', () => {
    expect(
      postgresConnection(
        'postgres://ann%40home:p%2Fw%3A@db.example:6543/step%20store?application_name=a&connect_timeout=3',
      ),
    ).toEqual({
      host: 'db.example',
      port: 6543,
      user: 'ann@home',
      password: 'p/w:',
      database: 'step store',
      ssl: false,
      application_name: 'a',
      connectionTimeoutMillis: 3_000,
    })
    expect(postgresConnection('postgresql://[::1]/d')).toEqual({ host: '::1', port: 5432, database: 'd', ssl: false })
    expect(postgresConnection('postgres:///d?host=/run/postgresql')).toMatchObject({ host: '/run/postgresql' })
  })

  test('asks for TLS as libpq does', () => {
    const ssl = (parameters: string): unknown => postgresConnection(`postgres://h/d?${parameters}`).ssl
    expect(ssl('sslmode=disable')).toBe(false)
    expect(ssl('sslmode=require')).toEqual({ rejectUnauthorized: false })
    expect(ssl(`sslmode=require&sslrootcert=${ca}`)).toMatchObject({
      rejectUnauthorized: true,
      ca: 'PEM',
      checkServerIdentity: expect.any(Function),
    })
    expect(ssl(`sslmode=verify-ca&sslrootcert=${ca}`)).toMatchObject({
      rejectUnauthorized: true,
      ca: 'PEM',
      checkServerIdentity: expect.any(Function),
    })
    expect(ssl('sslmode=verify-full')).toEqual({ rejectUnauthorized: true })
    expect(ssl(`sslmode=verify-full&sslrootcert=${ca}&sslcert=${ca}&sslkey=${ca}`)).toEqual({
      rejectUnauthorized: true,
      ca: 'PEM',
      cert: 'PEM',
      key: 'PEM',
    })
  })

  test.each([
    ['mysql://h/d', 'no postgres://'],
    ['postgres://a:1,b:2/d', 'no postgres://'],
    ['postgres://h', 'no database'],
    ['postgres://h/d?sslmde=require', 'sslmde'],
    ['postgres://h/d?sslmode=prefer', 'prefer'],
    ['postgres://h/d?sslmode=verify-ca', 'no authority'],
    ['postgres://h/d?sslmode=verify-full&sslrootcert=/no/such/file', 'cannot be read'],
    ['postgres://h/d?connect_timeout=soon', 'soon'],
  ])('%s is refused, with what is wrong', (url, says) => {
    expect(() => postgresConnection(url)).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: expect.stringContaining(says) as unknown,
        details: { misuse: true },
      }),
    )
  })

  test('no message holds the password', () => {
    expect(() => postgresConnection('postgres://u:hunter2@h')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') as unknown }),
    )
  })
})
