/** Shares as fractions of integers: 1/8 is a bound that 1 of 8 meets, whatever doubles make of it. */
import { Problem } from '#services/problem.ts'

/** top / bottom, bottom > 0. */
export interface Fraction {
  readonly top: bigint
  readonly bottom: bigint
}

const DECIMAL = /^(\d{1,15})?(?:\.(\d{1,15}))?$/
const QUOTIENT = /^(\d{1,15})\/(\d{1,15})$/

/** A share from 0 to 1, written as a decimal (0.125) or as a quotient (1/8), exactly as it is written. Throws `invalid_parameter`. */
export function parseShare(text: string, name: string): Fraction {
  const quotient = QUOTIENT.exec(text)
  const decimal = DECIMAL.exec(text)
  const wrong = (): Problem =>
    new Problem('invalid_parameter', `${name} is a share from 0 to 1, and not ${JSON.stringify(text.slice(0, 40))}`, {
      hint: 'write it as 0.125 or as 1/8',
      details: { parameter: name },
    })
  let share: Fraction
  if (quotient !== null) share = { top: BigInt(quotient[1] ?? '0'), bottom: BigInt(quotient[2] ?? '0') }
  else if (decimal !== null && text !== '' && text !== '.') {
    const digits = decimal[2] ?? ''
    share = { top: BigInt(`${decimal[1] ?? ''}${digits}` || '0'), bottom: 10n ** BigInt(digits.length) }
  } else throw wrong()
  if (share.bottom === 0n || share.top > share.bottom) throw wrong()
  return share
}

/** Whether `passed` of `n` is at least the share: by integers. */
export function reaches(passed: number, n: number, { top, bottom }: Fraction): boolean {
  return BigInt(passed) * bottom >= top * BigInt(n)
}

/** Whether `passed` of `n` is at most the share. */
export function within(passed: number, n: number, { top, bottom }: Fraction): boolean {
  return BigInt(passed) * bottom <= top * BigInt(n)
}

/** A test of counts against both bounds, each included. The few counts that occur are worked out once. */
export function betweenTest(low: Fraction, high: Fraction): (passed: number, n: number) => boolean {
  const known = new Map<number, Map<number, boolean>>()
  return (passed, n) => {
    let ofN = known.get(n)
    if (ofN === undefined) known.set(n, (ofN = new Map()))
    let fits = ofN.get(passed)
    if (fits === undefined) ofN.set(passed, (fits = reaches(passed, n, low) && within(passed, n, high)))
    return fits
  }
}
