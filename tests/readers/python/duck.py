"""DuckDB with its extensions, which come as packages from PyPI: nothing is downloaded when tests run."""

import glob
import sysconfig

import duckdb


def connect(*extensions):
    connection = duckdb.connect()
    site = sysconfig.get_paths()["platlib"]
    for name in extensions:
        (path,) = glob.glob(f"{site}/duckdb_ext*/extensions/v{duckdb.__version__}/*/{name}.duckdb_extension") or glob.glob(
            f"{site}/duckdb_ext*/extensions/v{duckdb.__version__}/{name}.duckdb_extension"
        )
        connection.load_extension(path)
    return connection
