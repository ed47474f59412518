/** The real stack that `npm run test:stack` started, for the tests that need one. */
import { findStack, type Stack } from '#infra/local/stack.ts'

/** TEST_STACK is the name of a stack: TEST_STACK=local after `infra/local/up`. */
const name = process.env['TEST_STACK']

function named(): Stack | undefined {
  if (name === undefined) return undefined
  const found = findStack(name)
  if (found === undefined)
    throw new Error(`TEST_STACK=${name}: there is no such stack; start it with infra/local/up --name ${name}`)
  return found
}

export const stack = named()

/** For the names of tests that are skipped without a stack. */
export const needsStack = stack === undefined ? ' (needs the stack: npm run test:stack)' : ''
