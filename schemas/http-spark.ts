/** What a dataset is as Spark SQL, in JSON. */
import Type from 'typebox'
import { integer, list, object, text } from './fields.ts'

export const SparkDataset = object(
  {
    recipe: Type.Enum(['sft', 'trajectories', 'steps'], { description: 'The recipe.' }),
    snapshot: integer('The snapshot that all tables are read at.'),
    url: text('The same rows as Parquet, pinned.'),
    sql: text('The query for the rows, in order. Its tables are views with the names below.'),
    counts_sql: text(
      'The query for (left_out, n): how many trajectories are in (null), or left out and why, as the manifest of the dataset has it.',
    ),
    tables: list(
      object(
        {
          name: text('The name of the view.'),
          path: text('The folder of the Delta table, below the folder or prefix that the blobs lie in.'),
          version: integer('The version of the Delta table to read, as in `versionAsOf`.'),
        },
        'A table.',
      ),
      'The Delta tables, each at the version of the snapshot.',
    ),
  },
  'A dataset as Spark SQL.',
)
