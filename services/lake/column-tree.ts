/** A column with lists and structs in it, taken apart into leaves as Parquet lays them out. */
import { Leaf } from './column-leaf.ts'
import type { DuckType } from './duckdb-type.ts'
import type { TextRoom } from './text-room.ts'
import { ThriftStruct } from './thrift.ts'

const OPTIONAL = 1
const REPEATED = 2
const CONVERTED = { text: 0, list: 3, day: 6, micros: 10 }
const MICROS = 2

/** A leaf, by its path. */
export interface PlacedLeaf {
  readonly leaf: Leaf
  readonly path: readonly string[]
}

/** A value that may be absent, and what is inside it. */
export interface Node {
  /** Adds a value, or null, under the levels of what holds it. */
  add(value: unknown, rep: number, def: number): void
  /** Adds that there is nothing, because something that holds this is absent or empty. */
  none(rep: number, def: number): void
  /** Adds rows of which none has a value; nothing was added before. */
  blank(rows: number): void
  /** Forgets what was added. */
  clear(): void
  /** Appends its elements of the schema and its leaves, in the order of Parquet. */
  describe(path: readonly string[], schema: ThriftStruct[], leaves: PlacedLeaf[]): void
}

interface Level {
  readonly rep: number
  readonly def: number
  readonly room: TextRoom
}

const nameOf = (path: readonly string[]): string => path.at(-1) ?? ''

/** Something that holds others, as an element of the schema. */
const group = (path: readonly string[], repetition: number, children: number): ThriftStruct =>
  new ThriftStruct().i32(3, repetition).text(4, nameOf(path)).i32(5, children)

class Scalar implements Node {
  readonly #leaf: Leaf
  readonly #type: string

  constructor(type: string, { rep, def, room }: Level) {
    this.#type = type
    this.#leaf = new Leaf(type, rep, def + 1, room)
  }

  add(value: unknown, rep: number, def: number): void {
    if (value === null || value === undefined) this.#leaf.none(rep, def)
    else this.#leaf.some(rep, value)
  }

  none(rep: number, def: number): void {
    this.#leaf.none(rep, def)
  }

  blank(rows: number): void {
    this.#leaf.blank(rows)
  }

  clear(): void {
    this.#leaf.clear()
  }

  describe(path: readonly string[], schema: ThriftStruct[], leaves: PlacedLeaf[]): void {
    const { physical, as } = this.#leaf.layout
    const element = new ThriftStruct().i32(1, physical).i32(3, OPTIONAL).text(4, nameOf(path))
    if (this.#type === 'VARCHAR') element.i32(6, CONVERTED.text)
    if (as === 'day') element.i32(6, CONVERTED.day)
    if (as === 'instant') {
      element.i32(6, CONVERTED.micros)
      const unit = new ThriftStruct().struct(MICROS, new ThriftStruct())
      element.struct(10, new ThriftStruct().struct(8, new ThriftStruct().isTrue(1).struct(2, unit)))
    }
    schema.push(element)
    leaves.push({ leaf: this.#leaf, path })
  }
}

class Struct implements Node {
  readonly #fields: readonly (readonly [name: string, node: Node])[]

  constructor(fields: Extract<DuckType, { is: 'struct' }>['fields'], { def, ...level }: Level) {
    this.#fields = fields.map(([name, type]) => [name, columnNode(type, { ...level, def: def + 1 })])
  }

  add(value: unknown, rep: number, def: number): void {
    if (value === null || value === undefined) {
      this.none(rep, def)
      return
    }
    const given = value as Readonly<Record<string, unknown>>
    for (const [name, node] of this.#fields) node.add(given[name], rep, def + 1)
  }

  none(rep: number, def: number): void {
    for (const [, node] of this.#fields) node.none(rep, def)
  }

  blank(rows: number): void {
    for (const [, node] of this.#fields) node.blank(rows)
  }

  clear(): void {
    for (const [, node] of this.#fields) node.clear()
  }

  describe(path: readonly string[], schema: ThriftStruct[], leaves: PlacedLeaf[]): void {
    schema.push(group(path, OPTIONAL, this.#fields.length))
    for (const [name, node] of this.#fields) node.describe([...path, name], schema, leaves)
  }
}

class List implements Node {
  readonly #element: Node
  readonly #rep: number

  constructor(of: DuckType, { rep, def, room }: Level) {
    this.#rep = rep + 1
    this.#element = columnNode(of, { rep: this.#rep, def: def + 2, room })
  }

  add(value: unknown, rep: number, def: number): void {
    if (value === null || value === undefined) {
      this.none(rep, def)
      return
    }
    const given = value as readonly unknown[]
    if (given.length === 0) this.none(rep, def + 1)
    else for (let at = 0; at < given.length; at++) this.#element.add(given[at], at === 0 ? rep : this.#rep, def + 2)
  }

  none(rep: number, def: number): void {
    this.#element.none(rep, def)
  }

  blank(rows: number): void {
    this.#element.blank(rows)
  }

  clear(): void {
    this.#element.clear()
  }

  describe(path: readonly string[], schema: ThriftStruct[], leaves: PlacedLeaf[]): void {
    const inner = [...path, 'list']
    schema.push(group(path, OPTIONAL, 1).i32(6, CONVERTED.list), group(inner, REPEATED, 1))
    this.#element.describe([...inner, 'element'], schema, leaves)
  }
}

/** A column of a type, empty. */
export function columnNode(type: DuckType, level: Level): Node {
  if (type.is === 'scalar') return new Scalar(type.name, level)
  return type.is === 'struct' ? new Struct(type.fields, level) : new List(type.of, level)
}
