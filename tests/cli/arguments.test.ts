import { describe, expect, test } from 'vitest'
import { helpText, readArguments, type CommandSpec } from '#services/cli/arguments.ts'

const spec: CommandSpec = {
  name: 'import',
  summary: 'Imports.',
  positionals: '<format> <path…>',
  count: [2, 3],
  options: {
    run: { value: 'NAME', description: 'the run' },
    'policy-version': { value: 'N', description: 'the version' },
    exit: { description: 'leave' },
  },
  examples: ['stepstore import x y'],
}

describe('arguments', () => {
  test('are words and options in any order', () => {
    const args = readArguments(spec, ['--run', 'r1', 'tau-bench', '--exit', 'a.json', '--policy-version=3', '--json'])
    expect(args.words).toEqual(['tau-bench', 'a.json'])
    expect([args.text('run'), args.integer('policy-version'), args.flag('exit'), args.flag('json')]).toEqual([
      'r1',
      3,
      true,
      true,
    ])
    expect([args.text('domain'), args.flag('help')]).toEqual([undefined, false])
  })

  test('take - and what follows -- as words', () => {
    expect(readArguments(spec, ['x', '-']).words).toEqual(['x', '-'])
    expect(readArguments(spec, ['x', '--', '--run']).words).toEqual(['x', '--run'])
  })

  test('may be too few where help is asked for', () => {
    for (const word of ['--help', '-h']) expect(readArguments(spec, [word]).flag('help')).toBe(true)
  })

  const refused: readonly (readonly [readonly string[], string, string])[] = [
    [['a', 'b', '--runs', 'x'], 'unknown option --runs', 'did you mean --run?'],
    [['a', 'b', '-x'], 'unknown option -x', '--help'],
    [['a'], 'import needs <format> <path…>', '--help'],
    [['a', 'b', 'c', 'd'], 'does not know what to do with "d"', '--help'],
    [['a', 'b', '--run'], '--run needs a value', '--run NAME'],
    [['a', 'b', '--run', '--exit'], '--run needs a value', '--run NAME'],
    [['a', 'b', '--exit=yes'], '--exit takes no value', '--help'],
  ]
  test.each(refused)('%j are refused', (given, what, hint) => {
    expect(() => readArguments(spec, given)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(what),
        hint: expect.stringContaining(hint),
        details: { misuse: true },
      }),
    )
  })

  test('that should be numbers are refused where they are none', () => {
    expect(() => readArguments(spec, ['a', 'b', '--policy-version', 'two']).integer('policy-version')).toThrow(
      'is no whole number',
    )
  })
})

test('help names every option and an example', () => {
  const text = helpText(spec)
  for (const part of [
    'stepstore import <format> <path…>',
    '--run NAME',
    '--policy-version N',
    '--exit',
    '--json',
    '--help',
    '$ stepstore import x y',
  ])
    expect(text).toContain(part)
})
