/**
 * The building blocks of every definition: field types with the bounds that SURFACE promises.
 * They are plain TypeBox schemas, so the same value is a TypeScript type, a JSON Schema and a compiled check.
 */
import Type, { type TSchema } from 'typebox'

/** Largest count of UTF-8 bytes in an id. JSON Schema can only count characters, so the reader checks bytes. */
export const ID_BYTES_MAX = 256

const ID_PATTERN = '^[^\\u0000-\\u001f\\u007f-\\u009f]{1,256}$'

/** An identifier chosen by a producer: 1 to 256 bytes of UTF-8 without control characters. */
export const id = (description: string) =>
  Type.String({ description, pattern: ID_PATTERN, 'x-bytes-max': ID_BYTES_MAX })

/** The lowercase hex SHA-256 of some bytes, such as an image. */
export const sha256 = (description: string) => Type.String({ description, pattern: '^[0-9a-f]{64}$' })

/** A whole number from `minimum` to 2^53-1, which every language that reads the store can hold exactly. */
export const integer = (description: string, minimum = 0) =>
  Type.Integer({ description, minimum, maximum: Number.MAX_SAFE_INTEGER })

/** Any text. */
export const text = (description: string) => Type.String({ description })

/** A finite number. JSON has no other kind; 1e400 is refused. */
export const real = (description: string) =>
  Type.Number({ description, minimum: -Number.MAX_VALUE, maximum: Number.MAX_VALUE })

/** A number that may also be one of the strings "NaN", "Infinity", "-Infinity", since JSON has no word for them. */
export const anyReal = (description: string) =>
  Type.Union([Type.Number(), Type.Literal('NaN'), Type.Literal('Infinity'), Type.Literal('-Infinity')], { description })

/** True or false. */
export const flag = (description: string) => Type.Boolean({ description })

/** An RFC 3339 instant. The reader checks it, and more exactly than `format: date-time` would; schema files say that. */
export const instant = (description: string) => Type.String({ description, 'x-instant': true })

/** Any JSON value, kept as it came. */
export const json = (description: string) => Type.Unknown({ description })

/** One of a closed list of words. */
export const oneOf = <const Words extends readonly string[]>(words: Words, description: string) =>
  Type.Enum(words, { description })

/** An optional field. An explicit null means the same as leaving it out. */
export const maybe = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]))

/** A list. */
export const list = <Schema extends TSchema>(items: Schema, description: string) => Type.Array(items, { description })

/** An object with known fields; unknown ones are let through, since they are kept. */
export const object = <Properties extends Record<string, TSchema>>(properties: Properties, description: string) =>
  Type.Object(properties, { description })
