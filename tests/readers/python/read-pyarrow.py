import fsspec
import pyarrow.dataset
import pyarrow.json
import pyarrow.parquet
from cases import answered, bearer, cases, finish
from pyarrow.fs import FSSpecHandler, PyFileSystem


def columns(table):
    return table["trajectory_id"].to_pylist(), table["reward"].to_pylist()


for case in cases:
    web = fsspec.filesystem("http", headers=bearer(case), skip_instance_cache=True)
    if case["format"] == "parquet":
        with web.open(case["url"]) as file:
            answered("ParquetFile, fsspec", case, *columns(pyarrow.parquet.ParquetFile(file).read()))
        files = PyFileSystem(FSSpecHandler(web))
        answered("read_table", case, *columns(pyarrow.parquet.read_table(case["url"], filesystem=files)))
        found = pyarrow.dataset.dataset(case["url"], filesystem=files, format="parquet")
        table = found.to_table(columns=["trajectory_id", "reward"], filter=pyarrow.dataset.field("reward") > -9)
        answered("dataset, filtered", case, *columns(table))
    if case["format"] == "jsonl":
        with web.open(case["url"], block_size=4096) as file:
            answered("read_json, small blocks", case, *columns(pyarrow.json.read_json(file)))
    if case["format"] == "arrow":
        with web.open(case["url"]) as file:
            answered("open_file", case, *columns(pyarrow.ipc.open_file(file).read_all()))
finish()
