/** One row with a value of every type that Arrow lays out in its own way, and one of nulls. */
export const EVERY_TYPE = `SELECT true AS flag, 7::TINYINT AS tiny, -3::SMALLINT AS small, 5::INTEGER AS word, 9007199254740993 AS big,
  200::UTINYINT AS unsigned, 1.5::FLOAT AS single, 0.1::DOUBLE AS double, 12.34::DECIMAL(9, 2) AS exact, 'wörd' AS text,
  '\\xAA\\x00'::BLOB AS raw, DATE '2026-02-03' AS day, TIMESTAMPTZ '2026-02-03 04:05:06.000007Z' AS instant,
  [1, NULL, 3] AS list, {'x': 1, 'y': ['p', 'q']} AS struct, MAP {'k': 1} AS map, sum(3::BIGINT) AS huge
  UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL`
