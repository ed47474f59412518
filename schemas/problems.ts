/** The codes of everything that can go wrong for a caller, each with its HTTP status and meaning. */

export const PROBLEMS = {
  invalid: { status: 400, meaning: 'The request does not make sense as it stands.' },
  unknown_parameter: { status: 400, meaning: 'A query parameter that this route does not know.' },
  invalid_parameter: { status: 400, meaning: 'A query parameter has a value that this route does not take.' },
  position_of_another_log: { status: 400, meaning: 'The position belongs to another log.' },
  bad_body: { status: 400, meaning: 'The body cannot be cut into events.' },
  bad_sql: { status: 400, meaning: 'The SQL cannot be run as it stands.' },
  unauthorized: { status: 401, meaning: 'The key is missing or wrong.' },
  sql_refused: { status: 403, meaning: 'The SQL asks for something that queries are not given.' },
  not_found: { status: 404, meaning: 'There is no such thing.' },
  episode_unknown: { status: 404, meaning: 'The gym knows no such episode.' },
  method_not_allowed: { status: 405, meaning: 'The route exists, but not with this method.' },
  conflict: { status: 409, meaning: 'The state of the thing does not allow it.' },
  episode_over: { status: 409, meaning: 'The episode has ended: reset to begin another one.' },
  snapshot_expired: { status: 410, meaning: 'The snapshot is no longer kept.' },
  too_large: { status: 413, meaning: 'The body, or one event in it, is too large.' },
  unsupported_media_type: { status: 415, meaning: 'The content type or coding is not one that the route takes.' },
  range_not_satisfiable: { status: 416, meaning: 'The range lies past the end.' },
  unreadable: { status: 422, meaning: 'The content does not fit its definition.' },
  sql_limit: { status: 422, meaning: 'The query needs more time, memory, disk or rows than a query may have.' },
  too_many: { status: 429, meaning: 'Over budget: send the same again later.' },
  unavailable: { status: 503, meaning: 'Something that is needed cannot be reached: send the same again later.' },
  behind: { status: 503, meaning: 'The state asked for is not reached yet: ask again later.' },
  building: { status: 503, meaning: 'The dataset is being built: ask again later.' },
  store_in_use: { status: 503, meaning: 'Another process holds the data folder.' },
  newer_data: { status: 503, meaning: 'The data was written by a newer version.' },
  partitions_changed: { status: 503, meaning: 'The log has another number of partitions than it was made with.' },
  cursor_moved: { status: 503, meaning: 'Another owner moved the cursor of this projection.' },
  corrupt: { status: 500, meaning: 'Stored data is not what it should be.' },
  internal: { status: 500, meaning: 'A fault of Stepstore.' },
} as const

/** A problem code. */
export type ProblemCode = keyof typeof PROBLEMS
