import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { colourWanted, readConfig } from '#services/config.ts'
import { Problem } from '#services/problem.ts'

/** The problem that reading these settings ends in. */
function refusal(environment: Record<string, string>): Problem {
  try {
    readConfig(environment)
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const said = (environment: Record<string, string>): string => {
  const { message, hint, details } = refusal(environment)
  expect(details['misuse']).toBe(true)
  return `${message} / ${hint}`
}

describe('settings', () => {
  test('are embedded where nothing is set', () => {
    const config = readConfig({})
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 7070,
      url: 'http://127.0.0.1:7070',
      key: undefined,
      publicUrl: undefined,
      logLevel: 'warn',
    })
    expect(config.log).toEqual({ kind: 'lmdb', folder: resolve('data/log') })
    expect(config.store).toEqual({ kind: 'pglite', folder: resolve('data/store') })
    expect(config.blobs).toEqual({ kind: 'directory', folder: resolve('data/blobs') })
    expect(config.lines.every(({ source }) => source === 'default')).toBe(true)
  })

  test('say where they come from, and the command line wins', () => {
    const config = readConfig({ DATA_DIR: '/d', PORT: '1', EMPTY: '' }, { PORT: '2' })
    expect(config.port).toBe(2)
    expect(config.log).toEqual({ kind: 'lmdb', folder: '/d/log' })
    const sources = Object.fromEntries(config.lines.map(({ name, source }) => [name, source]))
    expect(sources).toMatchObject({
      DATA_DIR: 'environment',
      PORT: 'command line',
      HOST: 'default',
      LOG_URL: 'default',
    })
  })

  test('with an empty value count as not set', () => {
    expect(readConfig({ STEPSTORE_KEY: '', PORT: '', LOG_URL: '' })).toMatchObject({ key: undefined, port: 7070 })
  })

  test('name folders by URL, relative or absolute', () => {
    expect(readConfig({ LOG_URL: 'lmdb:///a/b%20c' }).log).toEqual({ kind: 'lmdb', folder: '/a/b c' })
    expect(readConfig({ LOG_URL: 'lmdb:/a/b' }).log).toEqual({ kind: 'lmdb', folder: '/a/b' })
    expect(readConfig({ BLOBS_URL: 'file:./x' }).blobs).toEqual({ kind: 'directory', folder: resolve('x') })
  })

  test('name a topic, a Postgres or a bucket instead of a folder, whose secrets are never printed', () => {
    const config = readConfig({
      DATA_DIR: '/d',
      LOG_URL: 'kafka://ann:hunter2@host:1,other:2/topic',
      STORE_URL: 'postgres://ann:hunter2@host/db',
      BLOBS_URL: 's3://bucket/p?endpoint=http://h',
    })
    expect(config.log).toEqual({ kind: 'kafka', url: 'kafka://ann:hunter2@host:1,other:2/topic' })
    expect(config.store).toEqual({ kind: 'postgres', url: 'postgres://ann:hunter2@host/db' })
    expect(config.blobs).toEqual({ kind: 's3', url: 's3://bucket/p?endpoint=http://h', cacheFolder: '/d/cache' })
    expect(JSON.stringify(config.lines)).not.toContain('hunter2')
  })

  const refused: readonly (readonly [Record<string, string>, string, string])[] = [
    [{ STEPSTORE_KYE: 'x' }, 'unknown setting STEPSTORE_KYE', 'did you mean STEPSTORE_KEY?'],
    [{ STEPSTORE_HOTS: 'x' }, 'unknown setting STEPSTORE_HOTS', 'HOST'],
    [{ STEPSTORE_STORE_URLS: 'x' }, 'unknown setting STEPSTORE_STORE_URLS', 'did you mean'],
    [{ HOST: '0.0.0.0' }, 'there is no key', 'STEPSTORE_KEY'],
    [{ HOST: '192.168.1.4' }, 'there is no key', '127.0.0.1'],
    [{ PORT: '70700' }, 'is no port', '65535'],
    [{ PROGRAMS: 'ingest' }, 'leaves out project, archive, query', 'PGlite'],
    [{ PROGRAMS: 'ingset,project' }, 'unknown program ingset', 'did you mean ingest?'],
    [{ STORE_URL: 'mysql://user:secret@host/db' }, 'is no pglite:<folder>', 'pglite:'],
    [{ BLOBS_URL: 'gs://bucket/prefix' }, 'is no file:<folder>', 'file:'],
    [{ STORE_URL: 'postgres://host/db', PROGRAMS: 'query' }, 'LOG_URL is an LMDB folder', 'leave PROGRAMS unset'],
    [
      { LOG_URL: 'kafka://host:1/t', STORE_URL: 'postgres://host/db', PROGRAMS: 'query' },
      'BLOBS_URL is a folder',
      'leave PROGRAMS unset',
    ],
    [{ LOG_URL: 'kafka://host:1/t', BLOBS_URL: 's3://b', PROGRAMS: 'project' }, 'PGlite folder', 'postgres://'],
    [{ PROGRAMS: ',' }, 'names no program', 'ingest'],
    [{ STEPSTORE_LEASE_S: '0' }, 'is no time to wait', '600'],
    [{ LOG_URL: './log' }, 'is no lmdb:<folder>', 'lmdb:'],
    [{ LOG_URL: 'ftp://user:secret@host/x' }, 'is no lmdb:<folder>', 'lmdb:'],
    [{ BLOBS_URL: 'file://host/x' }, 'on another host', 'file:'],
    [{ BLOBS_URL: 'file:' }, 'names no folder', 'file:'],
    [{ STEPSTORE_PUBLIC_URL: 'host:80' }, 'is no base of URLs', 'http'],
    [{ STEPSTORE_KEY: 'two words' }, 'cannot carry', 'ASCII'],
    [{ STEPSTORE_LOG_LEVEL: 'loud' }, 'is no level', 'debug'],
  ]
  test.each(refused)('%o is refused with what to do', (environment, what, hint) => {
    const text = said(environment)
    expect(text).toContain(what)
    expect(text).toContain(hint)
    expect(text).not.toContain('secret')
  })

  test('may let other machines in where there is a key', () => {
    expect(readConfig({ HOST: '0.0.0.0', STEPSTORE_KEY: 'k' }).host).toBe('0.0.0.0')
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1', '[::1]'])
      expect(() => readConfig({ HOST: host })).not.toThrow()
  })

  test('that Kubernetes injects are left alone', () => {
    const injected = {
      STEPSTORE_SERVICE_HOST: '10.0.0.1',
      STEPSTORE_SERVICE_PORT: '7070',
      STEPSTORE_PORT: 'tcp://10.0.0.1:7070',
      STEPSTORE_PORT_7070_TCP_ADDR: '10.0.0.1',
      STEPSTORE_QUERY_SERVICE_HOST: '10.0.0.2',
    }
    expect(readConfig(injected).ignored).toEqual(Object.keys(injected).toSorted())
  })

  test('are printed without secrets', () => {
    const config = readConfig({ STEPSTORE_KEY: 'hunter2', STEPSTORE_URL: 'http://me:hunter2@host:1' })
    expect(JSON.stringify(config.lines)).not.toContain('hunter2')
    expect(config.lines.find(({ name }) => name === 'STEPSTORE_KEY')?.value).toBe('********')
  })
})

test('colour is for terminals, and NO_COLOR turns it off', () => {
  expect(colourWanted(true, {})).toBe(true)
  expect(colourWanted(false, {})).toBe(false)
  expect(colourWanted(true, { NO_COLOR: '1' })).toBe(false)
  expect(colourWanted(true, { NO_COLOR: '' })).toBe(true)
  expect(colourWanted(true, { TERM: 'dumb' })).toBe(false)
})
