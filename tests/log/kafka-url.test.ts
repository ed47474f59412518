import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaPlace } from '#services/log/kafka-url.ts'
import { Problem } from '#services/problem.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepstore-kafka-url-'))
  writeFileSync(join(folder, 'ca.pem'), 'a certificate')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function refusal(url: string): string {
  try {
    kafkaPlace(url)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    expect(error.details['misuse']).toBe(true)
    return `${error.message} / ${error.hint}`
  }
  throw new Error(`${url} was not refused`)
}

describe('the URL of a topic', () => {
  test('names brokers and topic, and what a secured cluster needs', () => {
    expect(kafkaPlace('kafka://a:9092,[::1]:1,c.d:65535/stepstore.events')).toEqual({
      brokers: ['a:9092', '[::1]:1', 'c.d:65535'],
      topic: 'stepstore.events',
    })
    expect(kafkaPlace('kafka://ann:p%40ss%3A%2F@a:1/t?tls=true')).toEqual({
      brokers: ['a:1'],
      topic: 't',
      sasl: { mechanism: 'scram-sha-512', username: 'ann', password: 'p@ss:/' },
      ssl: true,
    })
    expect(kafkaPlace(`kafka://ann:b:c@a:1/t?mechanism=PLAIN&ca=${join(folder, 'ca.pem')}`)).toMatchObject({
      sasl: { mechanism: 'plain', password: 'b:c' },
      ssl: { ca: ['a certificate'] },
    })
  })

  test.each([
    ['kafka://user:secret@host:9092', 'names no topic', 'kafka://[user:password@]host:port'],
    ['kafka://user:secret@host:9092/a/b', 'is no name of a topic', 'kafka://'],
    ['kafka://user:secret@host/topic', 'host is no host:port', 'kafka://'],
    ['kafka://user:secret@host:70000/topic', 'host:70000 is no host:port', 'kafka://'],
    ['kafka://user:secret@host:1,:2/topic', ':2 is no host:port', 'kafka://'],
    ['kafka://user:secret%@host:1/topic', 'begins no escape', '%25'],
    ['kafka://user@host:1/topic', 'without a password', 'kafka://'],
    ['kafka://:secret@host:1/topic', 'without a password', 'kafka://'],
    ['kafka://user:secret@host:1/topic?mechanism=magic', 'magic is unknown', 'scram-sha-512'],
    ['kafka://host:1/topic?mechanism=plain', 'without user and password', 'kafka://'],
    ['kafka://user:secret@host:1/topic?tsl=true', 'unknown parameter tsl', 'tls'],
    ['kafka://host:1/topic?tls=yes', 'tls=yes', 'tls=true'],
    ['kafka://host:1/topic?ca=/no/such.pem', 'cannot be read', 'PEM'],
    ['kafka://host:1/topic?ca=/no/such.pem&tls=false', 'a ca without tls', 'tls=true'],
  ])('%s is refused with what to do', (url, what, hint) => {
    const said = refusal(url)
    expect(said).toContain(what)
    expect(said).toContain(hint)
    expect(said).not.toContain('secret')
  })
})
