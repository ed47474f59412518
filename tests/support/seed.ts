/** Where fault tests take their chance from. The only place of the tests that reads it from the environment. */

/** The variable that repeats a run: TEST_SEED=<the number that was printed>. */
const NAME = 'TEST_SEED'

/** The seed of a fault test, printed so that a failure can be repeated. A new one for each run unless TEST_SEED is set. */
export function seedOf(test: string): number {
  const given = Number(process.env[NAME] || Number.NaN)
  const seed = Number.isSafeInteger(given) ? given : Math.floor(Math.random() * 2 ** 31)
  console.log(`${test}: ${NAME}=${seed}`)
  return seed
}
