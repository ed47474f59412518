/** A request over the files of a snapshot, as the SQL that makes the dataset. */
import type { LakeTableName } from '#schemas/lake.ts'
import type { CopyWrite } from '#services/lake/jobs.ts'
import { candidateStatements } from './candidates.ts'
import { ORDER } from './cuts.ts'
import { countsQuery, selectionStatements } from './selection.ts'
import type { LakeFiles } from './files.ts'
import { writing } from './formats/write.ts'
import { imageMode } from './recipes/asked.ts'
import { RECIPES } from './recipes.ts'
import type { DatasetRequest } from './request.ts'

/** What is run, in order, on one connection. Names are of temporary tables. */
export interface Compiled {
  readonly prepare: readonly string[]
  /** Gives rows (left_out, n): how many trajectories are in (null), or left out and why. */
  readonly counts: string
  /** Gathers the rows and writes the file. */
  readonly write: (output: string, imageUrl: string) => CopyWrite
}

/** The lake tables that datasets read. */
export const TABLES_READ = [
  'trajectories',
  'scores',
  'runs',
  'steps',
  'items',
  'images',
  'events',
] as const satisfies readonly LakeTableName[]

/**
 * Steps that are put together at a time, as their messages are in memory all at once; of steps that weigh more, fewer.
 * 300,000 steps of 1.7 KB as jsonl, with a limit of 1 GB for the engine: 1.5 GB resident in parts of 50,000, 2.4 GB in
 * one. Of 20 KB 50,000 do not fit, and 6,250 do.
 */
export const STEPS_PER_PART = [50_000, 5000, 500] as const

/**
 * The selected trajectories, which recipes make rows of: all columns of `candidates` and `part`, which rises with the
 * order of rows.
 */
function keptStatement(stepsPerPart: number): string {
  return `CREATE TEMP TABLE kept AS
    SELECT * EXCLUDE (left_out, mix_part), CAST((sum(n_steps_seen + 1) OVER (ORDER BY ${ORDER} ROWS UNBOUNDED PRECEDING) - 1) // ${stepsPerPart} AS BIGINT) AS part
    FROM candidates WHERE left_out IS NULL`
}

/** What only counts: the statements, over no more columns than they name. */
export function compileCounts(request: DatasetRequest, files: LakeFiles): Pick<Compiled, 'prepare' | 'counts'> {
  const selection = selectionStatements(request, files)
  const counts = countsQuery(request, files)
  const asking = { statements: [...selection, counts], change: selection.length > 0 }
  return { prepare: [...candidateStatements(request, files, asking), ...selection], counts }
}

/** Compiles a request. `files` are those that it needs. */
export function compile(request: DatasetRequest, files: LakeFiles, stepsPerPart: number = STEPS_PER_PART[0]): Compiled {
  const { recipe: name, format, shape, include, advantage, options = {} } = request
  const recipe = RECIPES[name]
  const rows = (table: LakeTableName) => (files[table] ?? []).reduce((sum, file) => sum + file.rows, 0)
  // As many as there can be; those that turn out to be empty are passed over.
  const parts = 1 + Math.floor((rows('steps') + rows('trajectories')) / stepsPerPart)
  const asked = { shape, options, advantage, include }
  const { imageColumns } = recipe
  const selection = selectionStatements(request, files)
  const counts = countsQuery(request, files)
  const gather = [keptStatement(stepsPerPart), ...recipe.statements({ ...asked, files, parts })]
  const statements = [...selection, counts, ...gather.map((one) => (typeof one === 'string' ? one : one.sql))]
  return {
    prepare: [...candidateStatements(request, files, { statements, change: true }), ...selection],
    counts,
    write: (output, imageUrl) => ({
      gather,
      notTaken: 'SELECT why, n FROM not_taken ORDER BY why',
      ...writing({
        format,
        columns: recipe.columns(asked),
        imageColumns,
        images: imageMode({ format, options }),
        imageUrl,
        output,
      }),
    }),
  }
}
