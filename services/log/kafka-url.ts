/** Where a Kafka log lies: `kafka://[user:pass@]host:port[,host:port]/topic`, with what a secured cluster needs. */
import { readFileSync } from 'node:fs'
import { Problem } from '#services/problem.ts'

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
type Mechanism = (typeof MECHANISMS)[number]

export interface KafkaPlace {
  /** host:port of the brokers to begin with. */
  readonly brokers: readonly string[]
  readonly topic: string
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
  /** TLS, with the certificates of an authority of one's own where there is one. */
  readonly ssl?: true | { readonly ca: readonly string[] }
}

const FORM = 'kafka://[user:password@]host:port[,host:port]/topic'
const PARAMETERS = ['tls', 'ca', 'mechanism']

function wrong(detail: string, hint = `use ${FORM}`): Problem {
  return new Problem('invalid', `LOG_URL: ${detail}`, { hint, details: { misuse: true } })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong(
      'the user or the password has a % that begins no escape',
      'write % as %25, @ as %40, / as %2F and : as %3A',
    )
  }
}

function mechanismOf(text: string): Mechanism {
  const found = MECHANISMS.find((known) => known === text.toLowerCase())
  if (found === undefined)
    throw wrong(`the mechanism ${text.slice(0, 40)} is unknown`, `use mechanism=${MECHANISMS.join(', ')}`)
  return found
}

function sslOf(tls: string | null, ca: string | null): Pick<KafkaPlace, 'ssl'> {
  if (tls !== null && tls !== 'true' && tls !== 'false')
    throw wrong(`tls=${tls.slice(0, 40)}`, 'use tls=true or tls=false')
  if (ca !== null) {
    if (tls === 'false') throw wrong('a ca without tls', 'use tls=true, or leave ca out')
    try {
      return { ssl: { ca: [readFileSync(ca, 'utf8')] } }
    } catch (error) {
      throw wrong(`the file of ca cannot be read: ${error instanceof Error ? error.message : ca}`, 'name a PEM file')
    }
  }
  return tls === 'true' ? { ssl: true } : {}
}

function brokersOf(text: string): string[] {
  const brokers = text.split(',')
  for (const broker of brokers) {
    const port = Number(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(broker)?.[1] ?? 0)
    if (port < 1 || port > 65_535) throw wrong(`${broker.slice(0, 80) || 'nothing'} is no host:port`)
  }
  return brokers
}

/** Reads a URL. Throws `invalid` with what is wrong; the password is in no message. */
export function kafkaPlace(url: string): KafkaPlace {
  // Not by URL, which takes one host only.
  const parts = /^kafka:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(url)
  if (parts === null) throw wrong('this is no URL of a topic')
  const [, user, hosts = '', topic = '', query = ''] = parts
  const brokers = brokersOf(hosts)
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic))
    throw wrong(topic === '' ? 'it names no topic' : `${topic.slice(0, 80)} is no name of a topic`)
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys())
    if (!PARAMETERS.includes(name))
      throw wrong(`unknown parameter ${name.slice(0, 40)}`, `the parameters are ${PARAMETERS.join(', ')}`)
  const mechanism = parameters.get('mechanism')
  if (user === undefined) {
    if (mechanism !== null) throw wrong('a mechanism without user and password')
    return { brokers, topic, ...sslOf(parameters.get('tls'), parameters.get('ca')) }
  }
  const [username = '', ...rest] = user.split(':')
  const sasl = {
    mechanism: mechanismOf(mechanism ?? 'scram-sha-512'),
    username: decoded(username),
    password: decoded(rest.join(':')),
  }
  if (sasl.username === '' || sasl.password === '') throw wrong('a user without a password, or the other way round')
  return { brokers, topic, sasl, ...sslOf(parameters.get('tls'), parameters.get('ca')) }
}
