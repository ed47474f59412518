/** Reads Parquet over HTTP with hyparquet, as a browser would. stdin and stdout as the Python readers have them. */
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

const installed = createRequire(`${process.argv[2]}/package.json`)
const load = (name) => import(pathToFileURL(installed.resolve(name)).href)
const { asyncBufferFromUrl, parquetReadObjects } = await load('hyparquet')
const { compressors } = await load('hyparquet-compressors')

const { cases } = JSON.parse(await text(process.stdin))
const answers = []
for (const [index, { url, key, token_url }] of cases.entries()) {
  const requestInit = key === null ? {} : { headers: { Authorization: `Bearer ${key}` } }
  for (const [way, from] of [
    ['header', { url, requestInit }],
    ['token', { url: token_url }],
  ]) {
    const file = await asyncBufferFromUrl(from)
    const rows = await parquetReadObjects({ file, compressors, columns: ['trajectory_id', 'reward'] })
    answers.push({ way, case: index, rows: rows.map(({ trajectory_id, reward }) => [trajectory_id, reward]).sort() })
  }
}
process.stdout.write(JSON.stringify({ answers }))
