/** How the relation `rows` becomes a file: by a statement of DuckDB where it can, else as a stream of rows. */
import type { CopyWrite } from '#services/lake/jobs.ts'
import type { Columns, ImageMode } from '#services/datasets/recipes/recipe.ts'
import type { FormatName } from '#services/datasets/recipes.ts'
import { sqlName, sqlText } from '#services/datasets/sql.ts'
import { jsonColumn, jsonValue } from './json.ts'

/** As few rows to a group as DuckDB allows, since each is a whole trajectory. */
const ROW_GROUP_ROWS = 2048
/** 50,000 conversations of 12 kB of hex: 2.1 s and 232 MB at level 1, 5.7 s and 239 MB at level 3. */
const LEVEL = 1

/** An image inside a row: as Hugging Face, verl and LLaMA-Factory read it. */
const IMAGE_BYTES = 'STRUCT(bytes BLOB, path VARCHAR)[]'

export interface Writing {
  readonly format: FormatName
  readonly columns: Columns
  /** Those of the columns that are lists of images, by hash. */
  readonly imageColumns: readonly string[]
  readonly images: ImageMode
  /** What comes before the hash in the URL of an image. */
  readonly imageUrl: string
  readonly output: string
}

type Written = Pick<CopyWrite, 'copy' | 'embed'>

/** `rows` with its images as they are asked for, where these are texts. */
function source({ columns, imageColumns, images, imageUrl }: Writing): string {
  if (images !== 'url' || imageColumns.length === 0) return 'rows'
  const select = Object.keys(columns).map((name) =>
    imageColumns.includes(name)
      ? `list_transform(${sqlName(name)}, lambda hash: ${sqlText(imageUrl)} || hash) AS ${sqlName(name)}`
      : sqlName(name),
  )
  return `(SELECT ${select.join(', ')} FROM rows)`
}

/** Rows as JSON text without the images that are put in as bytes, and these beside it. */
function jsonRows({ columns, imageColumns }: Writing, from: string): string {
  const inside = Object.entries(columns)
    .filter(([name]) => !imageColumns.includes(name))
    .map(([name, type]) => `${sqlName(name)}: ${jsonValue(sqlName(name), type)}`)
  return `SELECT CAST(to_json({${inside.join(', ')}}) AS VARCHAR) AS "row"${imageColumns.map((name) => `, ${sqlName(name)}`).join('')} FROM ${from}`
}

function parquet(writing: Writing): Written {
  const { columns, imageColumns, images, output } = writing
  const copy = (from: string) =>
    `COPY (SELECT * FROM ${from}) TO ${sqlText(output)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${LEVEL}, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`
  if (images !== 'bytes' || imageColumns.length === 0) return { copy: copy(source(writing)) }
  return { copy: copy('embedded'), embed: { columns: Object.keys(columns), images: imageColumns } }
}

function csv(writing: Writing): Written {
  const select = Object.entries(writing.columns).map(([name, type]) =>
    /[[(]/.test(type)
      ? `CAST(to_json(${jsonValue(sqlName(name), type)}) AS VARCHAR) AS ${sqlName(name)}`
      : sqlName(name),
  )
  const instants = Object.entries(writing.columns).filter(([, type]) => type === 'TIMESTAMPTZ')
  const replaced =
    instants.length === 0 ? '*' : `* REPLACE (${instants.map(([name, type]) => jsonColumn(name, type)).join(', ')})`
  return {
    copy: `COPY (SELECT ${replaced} FROM (SELECT ${select.join(', ')} FROM ${source(writing)})) TO ${sqlText(writing.output)} (FORMAT csv, HEADER)`,
  }
}

function jsonl(writing: Writing): Written {
  const { columns, imageColumns, images, output } = writing
  if (images === 'bytes' && imageColumns.length > 0)
    return { copy: { as: 'jsonl', sql: jsonRows(writing, 'rows'), path: output, images: imageColumns } }
  const select = Object.entries(columns).map(([name, type]) => jsonColumn(name, type))
  return { copy: `COPY (SELECT ${select.join(', ')} FROM ${source(writing)}) TO ${sqlText(output)} (FORMAT json)` }
}

function arrow(writing: Writing): Written {
  const { columns, imageColumns, images, output } = writing
  const embedded = images === 'bytes' ? imageColumns : []
  const types = Object.entries(columns).map(([name, type]) => [name, embedded.includes(name) ? IMAGE_BYTES : type])
  const select = Object.keys(columns).map(sqlName).join(', ')
  return {
    copy: {
      as: 'arrow',
      sql: `SELECT ${select} FROM ${source(writing)}`,
      path: output,
      images: embedded,
      columns: Object.fromEntries(types) as Columns,
    },
  }
}

function tar(writing: Writing): Written {
  const { imageColumns, images, output } = writing
  const named = images === 'bytes' ? imageColumns : []
  return {
    copy: {
      as: 'tar',
      sql: jsonRows({ ...writing, imageColumns: named }, source(writing)),
      path: output,
      images: named,
    },
  }
}

const WRITERS: Readonly<Record<FormatName, (writing: Writing) => Written>> = { parquet, jsonl, arrow, csv, tar }

/** How a file of a format is written from `rows`. */
export function writing(given: Writing): Written {
  // A shape may not have all the columns of images that its recipe knows.
  const imageColumns = given.imageColumns.filter((name) => name in given.columns)
  return WRITERS[given.format]({ ...given, imageColumns })
}
