/** A `postgres://` URL as the settings of a connection. What it does not know it refuses, by name. */
import { readFileSync } from 'node:fs'
import type { ClientConfig } from 'pg'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'

/** Parameters of the URL, as libpq names them. */
const PARAMETERS = [
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'application_name',
  'connect_timeout',
  'host',
  'options',
] as const
type Parameter = (typeof PARAMETERS)[number]

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const

const wrong = (detail: string, hint: string): Problem =>
  new Problem('invalid', `STORE_URL: ${detail}`, { hint, details: { misuse: true } })

function parametersOf(url: URL): Partial<Record<Parameter, string>> {
  const found: Partial<Record<Parameter, string>> = {}
  for (const [name, value] of url.searchParams) {
    const known = PARAMETERS.find((parameter) => parameter === name)
    if (known === undefined) {
      const near = nearest(name, PARAMETERS)
      throw wrong(
        `unknown parameter ${name.slice(0, 40)}`,
        near === undefined ? `the parameters are ${PARAMETERS.join(', ')}` : `did you mean ${near}?`,
      )
    }
    found[known] = value
  }
  return found
}

function fileOf(name: Parameter, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Problem('invalid', `STORE_URL: ${name}=${path} cannot be read`, {
      hint: 'name a PEM file that this process may read',
      details: { misuse: true },
      cause: error,
    })
  }
}

/** What libpq makes of `sslmode`; its modes that fall back to plain text in silence are refused. */
function sslOf(given: Partial<Record<Parameter, string>>): NonNullable<ClientConfig['ssl']> {
  const text = given.sslmode ?? 'disable'
  const mode = SSL_MODES.find((known) => known === text)
  if (mode === undefined)
    throw wrong(`sslmode=${text.slice(0, 40)} is not one that it takes`, `use ${SSL_MODES.join(', ')}`)
  if (mode === 'disable') return false
  const { sslrootcert, sslcert, sslkey } = given
  const ca = sslrootcert === undefined || sslrootcert === 'system' ? undefined : fileOf('sslrootcert', sslrootcert)
  if (mode === 'verify-ca' && ca === undefined)
    throw wrong('sslmode=verify-ca names no authority', 'add sslrootcert=<PEM file>, or use verify-full')
  const own = {
    ...(ca === undefined ? {} : { ca }),
    ...(sslcert === undefined ? {} : { cert: fileOf('sslcert', sslcert) }),
    ...(sslkey === undefined ? {} : { key: fileOf('sslkey', sslkey) }),
  }
  if (mode === 'verify-full') return { ...own, rejectUnauthorized: true }
  // As libpq has it: `require` with an authority checks who signed, and never the name.
  return ca === undefined
    ? { ...own, rejectUnauthorized: false }
    : { ...own, rejectUnauthorized: true, checkServerIdentity: () => undefined }
}

/** Reads a URL. Throws `invalid` with what is wrong in it; the message never holds the password. */
export function postgresConnection(text: string): ClientConfig {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')) {
    throw wrong(
      'it is no postgres://user:password@host:port/database',
      'name one host; of several servers, a name or a proxy that follows the primary',
    )
  }
  const given = parametersOf(url)
  const database = decodeURIComponent(url.pathname.slice(1))
  if (database === '' || database.includes('/'))
    throw wrong('it names no database', 'use postgres://user:password@host:port/database')
  const seconds = given.connect_timeout
  if (seconds !== undefined && !/^[1-9]\d{0,3}$/.test(seconds))
    throw wrong(`connect_timeout=${seconds.slice(0, 40)} is no number of seconds`, 'use 1 to 9999')
  return {
    host: given.host ?? (url.hostname === '' ? 'localhost' : url.hostname.replace(/^\[(.*)\]$/, '$1')),
    port: url.port === '' ? 5432 : Number(url.port),
    database,
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ssl: sslOf(given),
    ...(given.application_name === undefined ? {} : { application_name: given.application_name }),
    ...(given.options === undefined ? {} : { options: given.options }),
    ...(seconds === undefined ? {} : { connectionTimeoutMillis: Number(seconds) * 1000 }),
  }
}
