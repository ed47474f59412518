import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { bar, decimal, fitted, paint, progressLine, size, table, type Terminal } from '#services/cli/terminal.ts'

test('a table is aligned, also where cells are coloured', () => {
  const { green } = paint(true)
  const text = table(
    [{ head: 'name' }, { head: 'n', right: true }],
    [
      ['a', green('1')],
      ['long', '1,000'],
    ],
    paint(false),
  )
  expect(stripVTControlCharacters(text)).toBe('  name      n\n  a         1\n  long  1,000\n')
})

test('without colour nothing is painted', () => {
  expect(paint(false).red('x')).toBe('x')
})

test('a bar is as wide as it should be, whatever its share', () => {
  for (const share of [-1, 0, 0.01, 0.5, 0.99, 1, 2]) expect(bar(share, 8)).toHaveLength(8)
  expect(bar(0.5, 4)).toBe('██··')
  expect(bar(1, 4)).toBe('████')
})

test('numbers are said as people say them', () => {
  expect([size(0), size(1023), size(1024), size(5 * 1024 ** 3)]).toEqual(['0 B', '1023 B', '1.0 KiB', '5.0 GiB'])
  expect([decimal(0.5), decimal(null), decimal(Number.NaN)]).toEqual(['0.500', '-', '-'])
})

function written(redraws: boolean): { terminal: Terminal; text: () => string } {
  let text = ''
  const err = (more: string): void => {
    text += more
  }
  return { terminal: { out: err, err, redraws, width: undefined, paint: paint(false) }, text: () => text }
}

test('progress is drawn over on a terminal, and what is kept stays', () => {
  const { terminal, text } = written(true)
  let ms = 0
  const line = progressLine(terminal, () => (ms += 100))
  line.show('one')
  line.show('two')
  line.keep('kept')
  line.end()
  expect(text()).toBe('\r\u001b[2K\u001b[?7lone\u001b[?7h\r\u001b[2K\u001b[?7ltwo\u001b[?7h\r\u001b[2Kkept\n')
})

test('a line that is wider than the terminal ends in dots, its colours ended too', () => {
  const { dim } = paint(true)
  const shown = fitted(`12 of 30  ${dim('Find the area of it')}`, 20)
  expect(stripVTControlCharacters(shown)).toBe('12 of 30  Find the …')
  expect(shown.endsWith('\u001b[22m')).toBe(true)
  expect(fitted(dim('as wide'), 7)).toBe(dim('as wide'))
  const { terminal, text } = written(true)
  const line = progressLine({ ...terminal, width: 6 }, () => 0)
  line.show('playing on')
  expect(text()).toContain('playi…\u001b')
})

test('elsewhere it is a line now and then', () => {
  const { terminal, text } = written(false)
  let ms = 0
  const line = progressLine(terminal, () => ms)
  for (ms = 0; ms < 12_000; ms += 1000) line.show(`at ${ms}`)
  expect(text()).toBe('at 5000\nat 10000\n')
})
