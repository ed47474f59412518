import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FORMAT_NAMES } from '#services/datasets/recipes.ts'
import { canonicalQuery, checkRequest } from '#services/datasets/request.ts'
import type { RecipeOptions } from '#services/datasets/recipes/recipe.ts'
import { everything, smallLake, trajectory, type SmallLake } from './small-lake.ts'
import { written, type Written } from './written.ts'

let lake: SmallLake
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const png = Buffer.from('\x89PNG\r\n\x1a\none', 'latin1')
const jpeg = Buffer.from('\xff\xd8\xff two', 'latin1')
const [one, two, gone] = [sha256(png), sha256(jpeg), 'ee'.repeat(32)]

beforeAll(async () => {
  lake = await smallLake()
  for (const bytes of [png, jpeg]) await lake.blobs.put(`images/${sha256(bytes).slice(0, 2)}/${sha256(bytes)}`, bytes)
  const shown = (images: readonly string[]) => [{ role: 'user', content: '<image>'.repeat(images.length), images }]
  await lake.add({
    images: [one, two].map((image_id) => ({ image_id, stored: true })),
    trajectories: [
      trajectory({ trajectory_id: 't1', image_ids: [one, two], prompt: shown([one, two]) }),
      trajectory({
        trajectory_id: 't2',
        image_ids: [],
        prompt: [{ role: 'user', content: 'ü, "q"\nline' }],
        started_at: '2026-01-02T03:04:05.678901Z',
      }),
      trajectory({ trajectory_id: 't3', image_ids: [two, gone], prompt: shown([two, gone]) }),
    ],
    steps: ['t1', 't2', 't3'].map((id) => ({ run_id: 'r1', trajectory_id: id, step_index: 0, raw_output: `by ${id}` })),
    scores: [
      { trajectory_id: 't1', offset: 1, reward: 'NaN' },
      { trajectory_id: 't2', offset: 1, reward: 0.1 },
    ],
  })
})
afterAll(async () => {
  await lake.close()
})

const sft = (format: (typeof FORMAT_NAMES)[number], options: RecipeOptions = {}): Promise<Written> =>
  written(lake, { recipe: 'sft', format, include: ['missing_image'], options })

/** The files of a tar archive, by name. */
function untarred(bytes: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  for (let at = 0; bytes[at] !== 0;) {
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8)
    files.set(bytes.toString('latin1', at, bytes.indexOf(0, at)), bytes.subarray(at + 512, at + 512 + size))
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}

describe('images', () => {
  it('come by hash, or by URL', async () => {
    const [byHash] = await (await sft('jsonl')).lines()
    const [byUrl] = await (await sft('jsonl', { images: 'url' })).lines()
    expect(byHash?.['images']).toEqual([one, two])
    expect(byUrl?.['images']).toEqual([one, two].map((hash) => `http://stepstore.test/v1/images/${hash}`))
  })

  it('as bytes are where Hugging Face looks for them in parquet; one that is not held has none', async () => {
    const { path } = await sft('parquet', { images: 'bytes' })
    const rows = await lake.query(
      `SELECT trajectory_id, list_transform(images, lambda i: {bytes: base64(i.bytes), path: i.path}) AS images FROM read_parquet('${path}')`,
    )
    expect(rows).toEqual([
      {
        trajectory_id: 't1',
        images: [
          { bytes: png.toString('base64'), path: `${one}.png` },
          { bytes: jpeg.toString('base64'), path: `${two}.jpg` },
        ],
      },
      { trajectory_id: 't2', images: [] },
      {
        trajectory_id: 't3',
        images: [
          { bytes: jpeg.toString('base64'), path: `${two}.jpg` },
          { bytes: null, path: gone },
        ],
      },
    ])
  })

  it('as bytes are data URLs in lines of JSON', async () => {
    const rows = await (await sft('jsonl', { images: 'bytes' })).lines()
    expect(rows.map((row) => row['images'])).toEqual([
      [`data:image/png;base64,${png.toString('base64')}`, `data:image/jpeg;base64,${jpeg.toString('base64')}`],
      [],
      [`data:image/jpeg;base64,${jpeg.toString('base64')}`, gone],
    ])
  })

  it('are files beside their rows in a tar', async () => {
    const files = untarred(await (await sft('tar')).bytes())
    expect([...files.keys()]).toEqual([
      '000000000.json',
      '000000000.0.png',
      '000000000.1.jpg',
      '000000001.json',
      '000000002.json',
      '000000002.0.jpg',
    ])
    expect(files.get('000000000.1.jpg')).toEqual(jpeg)
    expect(JSON.parse(String(files.get('000000000.json')))).toMatchObject({
      trajectory_id: 't1',
      images: ['000000000.0.png', '000000000.1.jpg'],
      messages: [{ role: 'user', content: '<image><image>' }, { content: 'by t1' }],
    })
    expect([...untarred(await (await sft('tar', { images: 'hash' })).bytes()).keys()]).toHaveLength(3)
  })

  it('are refused as bytes in csv, and where there are none', async () => {
    await expect(sft('csv', { images: 'bytes' })).rejects.toMatchObject({ code: 'invalid_parameter' })
    await expect(written(lake, { recipe: 'trajectories', options: { images: 'url' } })).rejects.toMatchObject({
      details: { parameter: 'images' },
    })
  })
})

describe('csv', () => {
  it('has a header, nested columns as JSON, and instants in UTC', async () => {
    const { path } = await sft('csv')
    const rows = await lake.query(
      `SELECT trajectory_id, reward, messages, images FROM read_csv('${path}', header = true, all_varchar = true)`,
    )
    expect(
      rows.map((row) => [row['trajectory_id'], row['reward'], JSON.parse(String(row['messages'])), row['images']])[1],
    ).toEqual([
      't2',
      '0.1',
      [
        { role: 'user', content: 'ü, "q"\nline' },
        { role: 'assistant', content: 'by t2' },
      ],
      '[]',
    ])
    const all = await (await written(lake, { recipe: 'trajectories', format: 'csv' })).bytes()
    expect(all.toString()).toContain('2026-01-02T03:04:05.678901Z')
  })
})

describe('arrow', () => {
  it('has the bytes that pyarrow validated and read as the rows of the same parquet', async () => {
    const bytes = await (await sft('arrow', { images: 'bytes' })).bytes()
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('ARROW1\0\0')
    expect(bytes.subarray(-6).toString('latin1')).toBe('ARROW1')
    expect(bytes.indexOf(png)).toBeGreaterThan(0)
    expect(sha256(bytes)).toBe('6913ee1166605aaeec33220e9c97788abcd3ab02097c700aac0926521dd08a5b')
  })
})

describe('every format', () => {
  it('gives the same bytes for the same rows, however many parts they were gathered in', async () => {
    for (const format of FORMAT_NAMES) {
      const asked = { recipe: 'sft', format, include: ['missing_image'] } as const
      const [first, second, parts] = await Promise.all([
        written(lake, asked),
        written(lake, asked),
        written(lake, asked, 1),
      ])
      const hashes = await Promise.all([first, second, parts].map(async (made) => sha256(await made.bytes())))
      expect([format, new Set(hashes).size]).toEqual([format, 1])
    }
  })

  it('of nothing is a valid file with all columns', async () => {
    for (const format of FORMAT_NAMES)
      for (const recipe of ['sft', 'grpo', 'preference', 'transitions', 'steps', 'items', 'trajectories'] as const) {
        const made = await written(lake, { recipe, format, conditions: { run: { any: ['none'], ne: [] } } })
        expect([format, recipe, made.rows]).toEqual([format, recipe, 0])
      }
    const { path } = await written(lake, {
      recipe: 'sft',
      format: 'parquet',
      options: { images: 'bytes' },
      conditions: { run: { any: ['none'], ne: [] } },
    })
    const columns = await lake.query(`DESCRIBE SELECT images FROM read_parquet('${path}')`)
    expect(columns[0]?.['column_type']).toBe('STRUCT(bytes BLOB, path VARCHAR)[]')
  }, 60_000)
})

describe('what is asked of a recipe', () => {
  it('stands in the canonical query, defaults not', () => {
    const of = (asked: Parameters<typeof checkRequest>[0]) => canonicalQuery(checkRequest(asked))
    const base = { ...everything, recipe: 'preference', format: 'tar' } as const
    expect(of({ ...base, options: { images: 'bytes', preference: 'pairs', pairsPerGroup: 1 } })).toBe('')
    expect(of({ ...base, options: { images: 'hash', pairsPerGroup: 4 } })).toBe('images=hash&pairs_per_group=4')
    expect(of({ ...base, options: { preference: 'kto' }, shape: 'swift' })).toBe('preference=kto&shape=swift')
  })

  it('is refused where the recipe does not know it', () => {
    const refused = (asked: Partial<Parameters<typeof checkRequest>[0]>) => () =>
      checkRequest({ ...everything, ...asked })
    expect(refused({ recipe: 'grpo', shape: 'internvl' })).toThrow('grpo cannot be written as internvl')
    expect(refused({ recipe: 'sft', options: { convention: 'rlds' } })).toThrow(
      'convention says how transitions is made',
    )
    expect(refused({ recipe: 'sft', advantage: 'rloo' })).toThrow('advantage')
    expect(refused({ recipe: 'preference', options: { preference: 'kto', pairsPerGroup: 2 } })).toThrow(
      'pairs_per_group',
    )
  })
})
