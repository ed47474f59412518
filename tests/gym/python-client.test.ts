import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const hasPython = spawnSync('python3', ['--version']).status === 0
const folder = fileURLToPath(new URL('../../clients/python/src/stepstore_gym', import.meta.url))
const SCRIPT = `
import client
client.PAUSE_S = 0
try:
    client.GymClient("http://me:secret@127.0.0.1:9").about()
except ConnectionError as error:
    print(error)
`

it.skipIf(!hasPython)(
  'the Python client names the address that is dead, and what to start (needs python3)',
  async () => {
    const env = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' }
    const { stdout } = await promisify(execFile)('python3', ['-c', SCRIPT], { env: { ...process.env, ...env } })
    expect(stdout).toMatch(/^no gym answers at http:\/\/127\.0\.0\.1:9 \(.*\): start one with `stepstore gym serve`/)
    expect(stdout).not.toContain('secret')
  },
)
