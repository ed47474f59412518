import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SPARK } from '#services/datasets/spark/dialect.ts'

/** A literal as Spark reads it: settings are put in for `${…}` before, then backslashes escape. */
function readBySpark(literal: string): string {
  expect(literal).not.toContain('${')
  const inside = /^'((?:[^'\\]|\\.)*)'$/s.exec(literal)?.[1]
  if (inside === undefined) throw new Error(`${literal} does not end where it should`)
  return inside.replaceAll(/\\u([0-9a-fA-F]{4})|\\(.)/gsu, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? letter : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

test('a text for Spark is read as that text, and names no setting of the session', () => {
  const texts = fc.array(fc.constantFrom("'", '\\', '$', '{', '}', 'u0041', '"', '`', '%', '\n', 'a', '𝔘', '--', '/*'))
  fc.assert(
    fc.property(texts, (parts) => {
      const text = parts.join('')
      expect(readBySpark(SPARK.text(text))).toBe(text)
    }),
  )
})

test('a real is a cast of its text, as a bare one would be a decimal', () => {
  expect(SPARK.value(-0.000011505439193081445)).toBe("CAST('-0.000011505439193081445' AS DOUBLE)")
  expect(SPARK.value(3)).toBe("CAST('3' AS BIGINT)")
})
