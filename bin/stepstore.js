#!/usr/bin/env node
// Starts the program under the Node that package.json pins, whichever Node (>= 20) ran this file.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const main = join(root, 'services/cli/main.ts')
const executable = pinnedNode()

if (executable === undefined) {
  process.stderr.write(
    'stepstore: the pinned Node is not installed.\n' +
      `Run \`npm ci\` in ${root} (with install scripts allowed), then try again.\n`,
  )
  process.exit(69)
}

// kafkajs sets timers to times that are over, of which Node warns with each.
const quiet = '--disable-warning=TimeoutNegativeWarning'
// The channel says nothing; that it closes tells the program that the launcher was killed, which no signal can hand on.
const child = spawn(executable, [quiet, main, ...process.argv.slice(2)], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
})

// A terminal sends SIGINT to the whole group, so the child has it already; it must not end us first.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR2']) {
  process.on(signal, () => child.kill(signal))
}
child.on('error', (error) => {
  process.stderr.write(`stepstore: could not start ${executable}: ${error.message}\n`)
  process.exit(69)
})
child.on('exit', (code, signal) => {
  process.exit(code ?? 128 + constants.signals[signal ?? 'SIGTERM'])
})

/** @returns {string | undefined} the path of the Node brought by the npm package `node` */
function pinnedNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    const file = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(file) ? file : undefined
  } catch {
    return undefined
  }
}
