"""Load one row of every config from the Hub, as a user would, in a process of its own.

    echo '["ORG/lego-arta", "COMMIT", "scene:train"]' | python builder/publish/loader.py

Prints {"scene:train": id of its first row, ...}. A process, because what reads a stream goes on
reading in the background after the first row, and would outlive whoever asked for it. It is asked
on its standard input, so that it can be started, and import `datasets`, while the upload runs.
"""

import json
import os
import sys

os.environ["USE_TORCH"] = "0"  # `datasets` would import it, for seconds

from datasets import load_dataset
from pyarrow.dataset import ParquetFragmentScanOptions


def first_id(repo_id: str, commit: str, config: str, split: str) -> str:
    """The id of the first row; its picture is decoded on the way."""
    one_by_one = ParquetFragmentScanOptions(pre_buffer=False)
    stream = load_dataset(
        repo_id, config, split=split, revision=commit, streaming=True,
        fragment_scan_options=one_by_one,
    )  # fmt: skip
    row = next(iter(stream))
    for picture in row.get("images", [row.get("image")]):  # a recipe has none
        if picture:
            picture.load()
    return str(row["id"])


def main() -> None:
    """Print the ids as JSON, or the error as one line and exit with 1."""
    asked = sys.stdin.readline()
    if not asked:  # whoever started this has gone
        return
    code = 0
    repo_id, commit, *wanted = json.loads(asked)
    try:
        print(json.dumps({name: first_id(repo_id, commit, *name.split(":")) for name in wanted}))
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
