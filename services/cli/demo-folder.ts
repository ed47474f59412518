/** Where the demo lies: a folder of its own in the data folder, whatever the URLs say. */
import { join } from 'node:path'
import type { Config, Overrides } from '#services/config.ts'

/** The settings of the demo's server. */
export function demoSettings({ dataDir }: Pick<Config, 'dataDir'>): Overrides {
  const folder = join(dataDir, 'demo')
  return {
    DATA_DIR: folder,
    LOG_URL: `lmdb:${join(folder, 'log')}`,
    STORE_URL: `pglite:${join(folder, 'store')}`,
    BLOBS_URL: `file:${join(folder, 'blobs')}`,
  }
}
