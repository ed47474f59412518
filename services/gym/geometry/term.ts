/** A literal or an expression of CDL as a tree. */
export type Term =
  | { readonly op: 'number'; readonly value: number }
  | { readonly op: 'name'; readonly name: string }
  | { readonly op: 'call'; readonly name: string; readonly args: readonly Term[] }
  | { readonly op: '+' | '-' | '*' | '/'; readonly left: Term; readonly right: Term }

const lettersMax = 400
const depthMax = 20

type Reader = { readonly tokens: readonly string[]; at: number; depth: number }

/**
 * Reads one literal such as `Equal(LengthOfLine(AB),2*x+1)` or, in the words of Inter-GPS,
 * `Equals(LengthOf(Line(A,B)),12)`. Throws SyntaxError that names the place.
 */
export function parsedTerm(text: string): Term {
  if (text.length > lettersMax) throw new SyntaxError(`a literal has at most ${lettersMax} characters`)
  const tokens = text.replaceAll('°', '').match(/\d+(?:\.\d+)?|[A-Za-z_]+\d*|[-+*/(),=]|\S/g) ?? []
  const reader: Reader = { tokens, at: 0, depth: 0 }
  const left = sum(reader)
  if (reader.tokens[reader.at] !== '=') return ended(reader, left, text)
  reader.at++
  return ended(reader, { op: 'call', name: 'Equal', args: [left, sum(reader)] }, text)
}

/** The literal as text again, without spaces. */
export function termText(term: Term): string {
  if (term.op === 'number') return String(Number(term.value.toFixed(6)))
  if (term.op === 'name') return term.name
  if (term.op === 'call') return `${term.name}(${term.args.map(termText).join(',')})`
  return `${termText(term.left)}${term.op}${termText(term.right)}`
}

function ended(reader: Reader, term: Term, text: string): Term {
  const rest = reader.tokens[reader.at]
  if (rest !== undefined) throw new SyntaxError(`"${rest}" was not expected in the literal ${text}`)
  return term
}

function sum(reader: Reader): Term {
  if (++reader.depth > depthMax) throw new SyntaxError(`a literal is nested at most ${depthMax} deep`)
  let left = product(reader)
  for (let op = reader.tokens[reader.at]; op === '+' || op === '-'; op = reader.tokens[reader.at]) {
    reader.at++
    left = { op, left, right: product(reader) }
  }
  reader.depth--
  return left
}

function product(reader: Reader): Term {
  let left = factor(reader)
  for (let next = reader.tokens[reader.at]; next !== undefined; next = reader.tokens[reader.at]) {
    if (next === '*' || next === '/') {
      reader.at++
      left = { op: next, left, right: factor(reader) }
    } else if (left.op === 'number' && /^[A-Za-z(]/.test(next)) {
      left = { op: '*', left, right: factor(reader) }
    } else break
  }
  return left
}

function factor(reader: Reader): Term {
  const token = reader.tokens[reader.at++]
  if (token === undefined) throw new SyntaxError('the literal ends too early')
  if (/^\d/.test(token)) return { op: 'number', value: Number(token) }
  if (token === '-') return { op: '-', left: { op: 'number', value: 0 }, right: factor(reader) }
  if (token === '(') {
    const inner = sum(reader)
    expect(reader, ')')
    return inner
  }
  if (!/^[A-Za-z_]/.test(token)) throw new SyntaxError(`"${token}" is neither a name nor a number`)
  if (reader.tokens[reader.at] !== '(') return { op: 'name', name: token }
  reader.at++
  const args: Term[] = []
  while (reader.tokens[reader.at] !== ')') {
    args.push(sum(reader))
    if (reader.tokens[reader.at] === ',') reader.at++
    else if (reader.tokens[reader.at] !== ')') throw new SyntaxError(`"," or ")" is missing after ${token}(`)
  }
  reader.at++
  return { op: 'call', name: token, args }
}

function expect(reader: Reader, token: string): void {
  if (reader.tokens[reader.at++] !== token) throw new SyntaxError(`"${token}" is missing`)
}
