import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agreementOf } from '#services/diagnostics/agreement.ts'
import { type JudgedCall, ruleCodes, toolSchemas } from '#services/diagnostics/rules.ts'

const TOOLS = toolSchemas([
  {
    type: 'function',
    function: {
      name: 'zoom',
      parameters: {
        type: 'object',
        properties: {
          box: { type: 'array', items: { type: 'number', minimum: 0, maximum: 1000 }, minItems: 4, maxItems: 4 },
          mode: { type: 'string', enum: ['crop', 'scale'] },
          by: { type: 'object', properties: { x: { type: 'integer' } }, required: ['x'] },
          label: { anyOf: [{ type: 'string' }, { type: 'null' }] },
        },
        required: ['box'],
      },
    },
  },
  {
    name: 'count',
    inputSchema: { type: 'object' },
    outputSchema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
  },
])

const call = (given: Partial<JudgedCall>): string[] =>
  ruleCodes(
    {
      name: 'zoom',
      tool: null,
      parse_ok: true,
      schema_ok: null,
      status: 'ok',
      output_schema_ok: null,
      error_codes: null,
      arguments: { box: [0, 0, 1, 1] },
      output: undefined,
      ...given,
    },
    TOOLS,
  )

describe('a call by rule', () => {
  it.each([
    ['that fits', {}, []],
    ['that cannot be read', { parse_ok: false, arguments: '{box' }, ['E1']],
    ['whose arguments are no object', { arguments: '[0,0,1,1]' }, ['E1']],
    ['without a required argument', { arguments: {} }, ['E1']],
    ['without any arguments', { arguments: undefined }, ['E1']],
    ['without a required field inside one', { arguments: { box: [0, 0, 1, 1], by: {} } }, ['E1']],
    ['with a name that the tool does not have', { arguments: { box: [0, 0, 1, 1], bbox: 1 } }, ['E2']],
    ['with a wrong name for a required one', { arguments: { bbox: [0, 0, 1, 1] } }, ['E1', 'E2']],
    ['with the wrong type', { arguments: { box: 'all' } }, ['E3']],
    ['with a wrong word', { arguments: { box: [0, 0, 1, 1], mode: 'zoom' } }, ['E3']],
    ['out of range', { arguments: { box: [0, 0, 1, 1001] } }, ['E3']],
    ['of the wrong length', { arguments: { box: [0, 0, 1] } }, ['E3']],
    ['with a null where that may be', { arguments: { box: [0, 0, 1, 1], label: null } }, []],
    ['with a number where a text or null may be', { arguments: { box: [0, 0, 1, 1], label: 3 } }, ['E3']],
    ['of a tool that is not there', { name: 'zoomin' }, ['WRONG_TOOL']],
    ['of a tool under its alias', { name: 'zoom_in', tool: 'zoom' }, []],
    ['that the environment did not find', { status: 'not_found' }, ['WRONG_TOOL']],
    ['that took too long', { status: 'timeout' }, ['INFRA']],
    ['whose output does not fit, as the environment says', { output_schema_ok: false }, ['E5']],
    ['whose output does not fit its schema', { name: 'count', arguments: {}, output: { n: 'two' } }, ['E5']],
    ['whose output fits', { name: 'count', arguments: { anything: 1 }, output: { n: 2 } }, []],
    ['whose output was not sent', { name: 'count', arguments: {} }, []],
    ['that failed, whatever it put out', { name: 'count', arguments: {}, status: 'tool_error', output: 'no' }, []],
    ['of which the environment set codes', { arguments: {}, error_codes: ['MINE', 'E3', 'E3'] }, ['E3', 'MINE']],
    ['of which the environment set that there are none', { arguments: {}, error_codes: [] }, []],
  ] as const)('%s', (_which, given, codes) => {
    expect(call(given as Partial<JudgedCall>)).toEqual(codes)
  })

  it('is held against nothing where no tools are known', () => {
    const unknown = (given: Partial<JudgedCall>) =>
      ruleCodes(
        {
          name: 'x',
          tool: null,
          parse_ok: null,
          schema_ok: null,
          status: null,
          output_schema_ok: null,
          error_codes: null,
          arguments: 'any',
          output: undefined,
          ...given,
        },
        new Map(),
      )
    expect(unknown({})).toEqual([])
    expect(unknown({ schema_ok: false })).toEqual(['E1'])
  })

  it('gives sorted codes of its own list for any arguments, and throws for none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (given) => {
        const codes = call({ arguments: given })
        expect(codes).toEqual([...new Set(codes)].sort())
        expect(codes.every((code) => ['E1', 'E2', 'E3'].includes(code))).toBe(true)
      }),
    )
  })
})

describe("Krippendorff's alpha", () => {
  it('is that of the published example for two values (Krippendorff 2011, 10 units, two observers: 0.095)', () => {
    const one = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    const other = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    const units = one.map((set, index) => ({ raters: 2, set: set + (other[index] ?? 0) }))
    expect(agreementOf(units)).toEqual({ n_units: 10, agreement: 0.6, alpha: expect.closeTo(0.095, 3) })
  })

  it('is 1 for those who always agree, null where nothing can differ, and leaves out what one looked at', () => {
    expect(
      agreementOf([
        { raters: 3, set: 3 },
        { raters: 2, set: 0 },
        { raters: 1, set: 1 },
      ]),
    ).toEqual({ n_units: 2, agreement: 1, alpha: 1 })
    expect(agreementOf([{ raters: 2, set: 0 }])).toEqual({ n_units: 1, agreement: 1, alpha: null })
    expect(agreementOf([{ raters: 1, set: 1 }])).toEqual({ n_units: 0, agreement: null, alpha: null })
  })
})
