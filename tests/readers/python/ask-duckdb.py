"""stdin: {"extensions", "attach": URL of a DuckLake, or null, "sql"}. stdout: {"rows"}."""

import json
import sys

from duck import connect

given = json.load(sys.stdin)
db = connect(*given["extensions"])
if given["attach"] is not None:
    db.execute(f"attach 'ducklake:{given['attach']}' as s")
rows = db.execute(given["sql"]).fetchall()
print(json.dumps({"rows": [[None if value is None else float(value) for value in row] for row in rows]}))
