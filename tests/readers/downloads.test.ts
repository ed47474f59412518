/** Whole files: curl that is broken off and resumes, JavaScript, and the cache of Hugging Face. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { get, getJson, readWith, withToken } from './reader.ts'

const { open, keyed, runs, snapshots } = inject('readers')
const run = promisify(execFile)
const path = `/v1/datasets/sft.parquet?run=${encodeURIComponent(runs.played)}&policy_version=1&snapshot=${snapshots.at(-1)}`
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe.each([
  ['open', open],
  ['with a key', keyed],
])('curl (%s)', (_, served) => {
  let folder: string
  let etag: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'stepstore-curl-'))
    etag = (await get(served, path)).headers.get('etag') ?? ''
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const curl = (...args: string[]): Promise<unknown> =>
    run('curl', ['--silent', '--show-error', '--noproxy', '*', ...args])

  it('resumes what was broken off, and is content with what is whole', async () => {
    const file = join(folder, 'set.parquet')
    const header = served.key === undefined ? [] : ['--header', `Authorization: Bearer ${served.key}`]
    const fetched = (...more: string[]): Promise<unknown> =>
      curl(...more, ...header, '--continue-at', '-', '--output', file, `${served.url}${path}`)
    await fetched('--fail')
    const whole = statSync(file).size
    expect(`"${sha256(readFileSync(file))}"`).toBe(etag)
    for (const kept of [1, Math.floor(whole / 2), whole - 1]) {
      truncateSync(file, kept)
      await fetched('--fail')
      expect([kept, `"${sha256(readFileSync(file))}"`]).toEqual([kept, etag])
    }
    // It asks for what comes after the end, and learns from the size in the 416 that it has everything.
    await fetched()
    expect(`"${sha256(readFileSync(file))}"`).toBe(etag)
  })

  it('takes the key in the URL', async () => {
    const file = join(folder, 'by-token.parquet')
    await curl('--fail', '--output', file, withToken(served, path))
    expect(`"${sha256(readFileSync(file))}"`).toBe(etag)
  })
})

describe('Hugging Face datasets', () => {
  it('loads a pinned URL again from its cache', async () => {
    const { url, rows } = await getJson<{ url: string; rows: number }>(open, path.replace('?', '/pin?'))
    const { kept } = await readWith<{ kept: { rows: number[]; files: string[]; changed: boolean }[] }>(
      'read-datasets.py',
      { cases: [], twice: [url] },
    )
    expect(kept).toEqual([{ rows: [rows, rows], files: [kept[0]?.files[0], kept[0]?.files[0]], changed: false }])
  })
})

describe('the server, through all of its processes', () => {
  const header = { authorization: `Bearer ${keyed.key}` }

  it('goes on answering while GETs are left unread, and after they are dropped', async () => {
    const leaving = new AbortController()
    const unread = Array.from({ length: 24 }, () =>
      fetch(`${keyed.url}${path}`, { headers: header, signal: leaving.signal }),
    )
    for (const answer of await Promise.all(unread)) expect(answer.status).toBe(200)
    const whole = await (await get(keyed, path)).bytes()
    leaving.abort()
    const size = whole.length
    const part = await fetch(`${keyed.url}${path}`, { headers: { ...header, range: `bytes=-${10 * size}` } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 0-${size - 1}/${size}`])
    expect(sha256(await part.bytes())).toBe(sha256(whole))
  })

  it('keeps keys out of the URLs that it names', async () => {
    const answer = await fetch(withToken(keyed, path.replace(/&snapshot=\d+/, '')))
    const named = [answer.headers.get('content-location'), answer.headers.get('stepstore-manifest')]
    await answer.body?.cancel()
    for (const url of named) {
      expect(url).toMatch(/^http:/)
      expect(url).not.toContain('token')
    }
  })
})
