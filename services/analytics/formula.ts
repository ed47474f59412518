/**
 * A small language for rewards: numbers, names, + - * / ^, comparisons, and/or/not and a few functions. It is parsed
 * here and computed by walking a tree; nothing of it is ever run as code. Truth is 1 and 0.
 */
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import {
  type Column,
  type Node,
  CHUNK_ROWS,
  FUNCTIONS,
  LEVELS,
  applied,
  binary,
  constant,
  denied,
  negated,
  power,
} from './formula-columns.ts'

/** The longest formula, in characters, and the deepest. */
const LENGTH_MAX = 500
const DEPTH_MAX = 40

/** A formula that was parsed. */
export interface Formula {
  readonly text: string
  /** The names that it uses. */
  readonly names: readonly string[]
  /** Its value; `values` has those of `names`, in their order. */
  readonly compute: (values: ArrayLike<number>) => number
  /**
   * Its values for `length` rows, `CHUNK_ROWS` at most; `columns` has those of `names`, in their order. The result is
   * overwritten by the next call.
   */
  readonly computeRows: (columns: readonly Column[], length: number) => Column
}

interface Token {
  readonly kind: 'number' | 'name' | 'sign' | 'end'
  readonly text: string
  readonly at: number
}

const TOKEN =
  /\s*(?:(?<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(?<name>[A-Za-z_][A-Za-z0-9_.]*)|(?<sign><=|>=|==|!=|[-+*/^(),<>]))/y

function wrong(detail: string, at: number, hint?: string): Problem {
  return new Problem('invalid_parameter', `formula: ${detail} at character ${at + 1}`, {
    hint: hint ?? 'an example: -1 + 0.5 * format + 0.5 * correct + format * correct',
    details: { parameter: 'expression', at: at + 1 },
  })
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const end = text.trimEnd().length
  while (at < end) {
    TOKEN.lastIndex = at
    const found = TOKEN.exec(text)
    if (found === null) {
      const skipped = at + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0)
      throw wrong(`${JSON.stringify(text.slice(skipped, skipped + 1))} is not understood`, skipped)
    }
    const { number, name, sign } = found.groups ?? {}
    const token = number ?? name ?? sign ?? ''
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'sign'
    tokens.push({ kind, text: token, at: TOKEN.lastIndex - token.length })
    at = TOKEN.lastIndex
  }
  return [...tokens, { kind: 'end', text: 'the end', at: end }]
}

class Parser {
  /** The names that were used, with their places. */
  readonly names = new Map<string, number>()
  readonly #tokens: readonly Token[]
  readonly #known: (name: string) => boolean
  readonly #choices: readonly string[]
  #next = 0
  #depth = 0

  constructor(text: string, names: readonly string[]) {
    this.#tokens = tokensOf(text)
    const known = new Set(names)
    this.#known = (name) => known.has(name)
    this.#choices = names
  }

  whole(): Node {
    const node = this.#level(0)
    const left = this.#peek()
    if (left.kind !== 'end') throw wrong(`${JSON.stringify(left.text)} is one too many`, left.at)
    return node
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: 'the end', at: 0 }
  }

  #take(): Token {
    const token = this.#peek()
    this.#next += 1
    return token
  }

  #expect(sign: string): void {
    const token = this.#take()
    if (token.text !== sign || token.kind !== 'sign') throw wrong(`${sign} is missing before ${token.text}`, token.at)
  }

  #level(level: number): Node {
    const operators = LEVELS[level]
    if (operators === undefined) return this.#unary()
    let left = this.#level(level + 1)
    for (;;) {
      const { text, kind } = this.#peek()
      const operator = kind !== 'number' && Object.hasOwn(operators, text) ? operators[text] : undefined
      if (operator === undefined) return left
      this.#next += 1
      left = binary(operator, left, this.#level(level + 1))
    }
  }

  #unary(): Node {
    const token = this.#peek()
    if (++this.#depth > DEPTH_MAX)
      throw wrong(`more than ${DEPTH_MAX} levels deep`, token.at, 'take some parentheses away')
    try {
      if (token.text === '-' || token.text === 'not') {
        this.#next += 1
        const of = this.#unary()
        return applied(token.text === '-' ? negated : denied, [of])
      }
      return this.#power()
    } finally {
      this.#depth -= 1
    }
  }

  /** Binds more strongly than a minus before it, and to the right: -2^2 is -4. */
  #power(): Node {
    const base = this.#atom()
    if (this.#peek().text !== '^') return base
    this.#next += 1
    return binary(power, base, this.#unary())
  }

  #atom(): Node {
    const token = this.#take()
    if (token.kind === 'number') return constant(Number(token.text))
    if (token.text === '(') {
      const inner = this.#level(0)
      this.#expect(')')
      return inner
    }
    if (token.kind === 'name' && !['and', 'or', 'not'].includes(token.text))
      return this.#peek().text === '(' ? this.#call(token) : this.#name(token)
    throw wrong(`a number or a name is missing before ${JSON.stringify(token.text)}`, token.at)
  }

  #name({ text, at }: Token): Node {
    if (!this.#known(text)) {
      const near = nearest(text, this.#choices)
      throw wrong(
        `there is no ${JSON.stringify(text)}`,
        at,
        near === undefined
          ? `names are ${this.#choices.join(', ')}`
          : `did you mean ${near}? Names are ${this.#choices.join(', ')}`,
      )
    }
    const place = this.names.get(text) ?? this.names.size
    this.names.set(text, place)
    const missing = new Float64Array(CHUNK_ROWS).fill(Number.NaN)
    return (columns) => columns[place] ?? missing
  }

  #call({ text, at }: Token): Node {
    const called = Object.hasOwn(FUNCTIONS, text) ? FUNCTIONS[text] : undefined
    if (called === undefined)
      throw wrong(
        `there is no function ${JSON.stringify(text)}`,
        at,
        `functions are ${Object.keys(FUNCTIONS).join(', ')}`,
      )
    this.#expect('(')
    const given: Node[] = []
    if (this.#peek().text !== ')') {
      given.push(this.#level(0))
      while (this.#peek().text === ',') {
        this.#next += 1
        given.push(this.#level(0))
      }
    }
    this.#expect(')')
    const [least, most] = called.arguments
    if (given.length < least || given.length > most)
      throw wrong(`${text} takes ${least === most ? least : `${least} to ${most}`} values, and not ${given.length}`, at)
    return applied(called.of, given)
  }
}

/** Parses a formula over these names. Throws `invalid_parameter` with the place of the mistake. */
export function parseFormula(text: string, names: readonly string[]): Formula {
  if (text.length > LENGTH_MAX)
    throw new Problem('invalid_parameter', `formula: ${text.length} characters, and at most ${LENGTH_MAX} are taken`, {
      details: { parameter: 'expression' },
    })
  const parser = new Parser(text, names)
  const computeRows = parser.whole()
  const compute = (values: ArrayLike<number>): number =>
    computeRows(
      Array.from(values, (value) => Float64Array.of(value)),
      1,
    )[0] ?? Number.NaN
  return { text, names: [...parser.names.keys()], compute, computeRows }
}
