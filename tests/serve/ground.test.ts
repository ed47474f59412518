import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig, type Config } from '#services/config.ts'
import { silent } from '#services/logger.ts'
import { DATA_FORMAT, dataFormat, openDataFolder } from '#services/serve/data-folder.ts'
import { openGround } from '#services/serve/ground.ts'
import { inspectDataFolder } from '#services/serve/inspect.ts'

let folder = ''
let config: Config

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepstore-ground-'))
  config = readConfig({ DATA_DIR: join(folder, 'data') })
})

afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

const clock = () => new Date(0)
const options = { logger: silent, clock }
const record = { key: 'k', value: Buffer.from('{}') }

describe('the ground of a process', () => {
  test('of a lost log goes on behind the last offset of the lake', async () => {
    const first = await openGround(config, options)
    const cut = '0:10,1:0,2:7,3:1'
    await first.blobs.put(
      'catalog/000000000001.json',
      Buffer.from(
        JSON.stringify({ format: 1, snapshot_id: 1, created_at: '', log_id: first.log.id, cut, files: [], ended: [] }),
      ),
    )
    await first.close()
    rmSync(join(config.dataDir, 'log'), { recursive: true })
    const second = await openGround(config, options)
    expect((await second.log.bounds()).map(({ end }) => end)).toEqual([10, 0, 7, 1])
    const [[partition, next] = [-1, -1]] = await second.log.append([record])
    expect(next).toBe(([10, 0, 7, 1][partition] ?? 0) + 1)
    await second.close()
    const third = await openGround(config, options)
    expect((await third.log.bounds())[partition]?.end).toBe(next)
    await third.close()
  })

  test('belongs to one process part at a time', async () => {
    const ground = await openGround(config, options)
    await expect(openGround(config, options)).rejects.toMatchObject({
      code: 'store_in_use',
      message: expect.stringContaining(String(process.pid)),
    })
    await ground.close()
    await (await openGround(config, options)).close()
  })
})

describe('a data folder', () => {
  test('notes its format once, and is opened again', async () => {
    await openDataFolder(config.dataDir)
    await openDataFolder(config.dataDir)
    expect(await dataFormat(config.dataDir)).toBe(DATA_FORMAT)
  })

  test.each([
    ['{"version": 2}', 'newer_data'],
    ['{"version": "1"}', 'corrupt'],
    ['{', 'corrupt'],
  ])('with format %s is refused as %s', async (text, code) => {
    await openDataFolder(config.dataDir)
    writeFileSync(join(config.dataDir, 'format.json'), text)
    await expect(openDataFolder(config.dataDir)).rejects.toMatchObject({ code, hint: expect.any(String) })
  })

  test('that cannot be made says what to do', async () => {
    writeFileSync(join(folder, 'file'), '')
    await expect(openDataFolder(join(folder, 'file', 'data'))).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('DATA_DIR'),
    })
  })

  test('is looked at without being made', async () => {
    expect(await inspectDataFolder(config, clock())).toMatchObject({
      format: undefined,
      log: undefined,
      store: 'new',
      blobs: 'new',
      problems: [],
    })
    expect(await dataFormat(config.dataDir)).toBeUndefined()
  })

  test('tells what its log holds', async () => {
    await openDataFolder(config.dataDir)
    const ground = await openGround(config, options)
    await ground.log.append([record, record])
    const { log } = await inspectDataFolder(config, clock())
    expect(log?.id).toBe(ground.log.id)
    expect(log?.bounds.reduce((sum, { end }) => sum + end, 0)).toBe(2)
    await ground.close()
  })
})
