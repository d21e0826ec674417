"""Rows that somebody chose: the files they stand in, exports of them, builds without them."""

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from export_build import all_rows, export_build, rows_of
from exported import error_of, records, run

from builder.export import command as export
from builder.release.reviews import FORMAT as REVIEW
from builder.release.reviews import read_reviews
from core.errors import UserError
from core.selection import COLUMNS, FORMAT, is_selection, read_selection


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=2, test_manuals=1)


def fingerprint(build: Path) -> str:
    return json.loads((build / "build.json").read_text())["fingerprint"]


def written(path: Path, form: str, ids: list[str], print_: str = "") -> Path:
    """A file of ids in one of the forms."""
    if form == "json":
        build = {"name": "lego-arta", "fingerprint": print_}
        path.write_text(json.dumps({"format": FORMAT, "build": build, "ids": ids}))
    elif form == "csv":
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows([one, "state", "test", 'a "b", c', "lego-arta", print_] for one in ids)
    elif form == "list":
        path.write_text(json.dumps(ids))
    elif form == "table":  # any other with a column of that name, as a spreadsheet saves it
        path.write_bytes(("\ufefflabel,id\r\n" + "".join(f"1,{i}\r\n" for i in ids)).encode())
    else:
        path.write_text("\n".join(["", *ids, ids[0], ""]))
    return path


@pytest.mark.parametrize("form", ["json", "csv", "list", "table", "lines"])
def test_exports_hold_the_chosen_rows_alone(build, tmp_path, form, capsys):
    group = rows_of(build, "state", "test")[0]["group_id"]
    ids = [r["id"] for r in rows_of(build, "state", "test") if r["group_id"] == group]
    ids += [rows_of(build, "scene", "train")[1]["id"]]
    file = written(tmp_path / "ids", form, ids, fingerprint(build))
    out = run(build, tmp_path / "x", "llava", "--ids", str(file))
    assert "warning" not in capsys.readouterr().err
    found = [r["id"] for path in sorted(out.glob("*_*.json")) for r in records(path)]
    assert sorted(found) == sorted(ids)
    record = json.loads((out / "export.json").read_text())
    assert record["rows"] == len(ids) and record["ids"].startswith(f"{len(ids)} ids")
    assert "of a list of 5 ids" in (out / "README.md").read_text()
    assert export.main([str(build), "--format", "llava", "--out", str(out)]) == 1
    assert "--ids 5 ids" in error_of(capsys)  # another export than that of all rows


def test_a_part_of_a_group_is_noted(build, tmp_path, capsys):
    ids = [rows_of(build, config, "test")[0]["id"] for config in ("state", "object")]
    file = written(tmp_path / "ids", "lines", ids)
    run(build, tmp_path / "x", "coco", "--ids", str(file))
    said = capsys.readouterr().err
    assert "1 state group only a part" in said and "1 object's collages only a part" in said


def test_ids_that_are_not_there_and_other_builds_are_one_line(build, tmp_path, capsys):
    def said(form: str, ids: list[str], print_: str = "") -> str:
        file = written(tmp_path / "ids", form, ids, print_)
        arguments = [str(build), "--format", "llava", "--out", str(tmp_path / "x")]
        assert export.main([*arguments, "--ids", str(file)]) == 1
        assert not (tmp_path / "x").exists()
        return error_of(capsys)

    known = next(iter(all_rows(build)))
    line = said("lines", [known, *(f"none{n}" for n in range(5))])
    assert "none0, none1, none2 and 2 more" in line and known not in line
    for form in ("json", "csv"):
        line = said(form, [known], "0123456789abcdef")
        assert "another build" in line and "0123456789ab" in line
        assert "lego-arta gallery" in line
    assert "no list of row ids" in said("lines", ["two words"])
    assert "it holds no ids" in said("list", [])
    (tmp_path / "only").write_text(known)
    arguments = [str(build), "--format", "llava", "--out", str(tmp_path / "x")]
    assert export.main([*arguments, "--ids", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in error_of(capsys)


@pytest.mark.parametrize(
    "text", ["{", '{"format": "x"}', "[1]", json.dumps({"format": FORMAT, "ids": [1]}), "a,b\n1,2"]
)
def test_what_is_no_list_of_ids_is_refused(tmp_path, text):
    (tmp_path / "ids").write_text(text)
    with pytest.raises(UserError, match="no list of row ids"):
        read_selection("--ids", tmp_path / "ids")


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_build_leaves_the_selected_rows_out(tmp_path, form):
    """Though a rater would keep one of them; other ratings hold."""
    chosen = written(tmp_path / "chosen", form, ["a1", "b2"], "f")
    assert is_selection(chosen.read_bytes())
    said = [{"row": row, "rater": "r", "points": 1.0, "rejects": False} for row in ("b2", "c3")]
    (tmp_path / "review.json").write_text(
        json.dumps({"format": REVIEW, "task": "screening", "page_id": "p", "judgements": said})
    )
    reviews, remarks = read_reviews([chosen, tmp_path / "review.json"])
    assert reviews.rejected == ("a1", "b2") and reviews.weights == (("c3", 1.0),)
    assert remarks == []


def test_an_export_of_a_build_that_lacks_shards_says_so_and_is_another(build, tmp_path, capsys):
    """When the file is there again, the folder is not taken for the whole export."""
    copy = shutil.copytree(build, tmp_path / "lego-arta")
    manifest = json.loads((copy / "build.json").read_text())
    shards = sorted(copy.glob("data/*/*.parquet"))
    names = [path.relative_to(copy).as_posix() for path in shards]
    (copy / "build.json").write_text(json.dumps({**manifest, "files": {key: {} for key in names}}))
    shard = next(
        path for path in shards if path.parts[-2:-1] == ("state",) and "train" in path.name
    )
    lost = pq.read_metadata(shard).num_rows
    shard.rename(tmp_path / "elsewhere")
    out = run(copy, tmp_path / "x", "llava", "--config", "state")
    said = capsys.readouterr().err
    whole = manifest["rows"]["state"]["train"]
    assert f"warning: state train: {lost:,} of {whole:,} rows are missing" in said
    assert shard.relative_to(copy).as_posix() in said
    assert len(json.loads((out / "export.json").read_text())["missing"]) == 1
    run(copy, tmp_path / "scene", "llava", "--config", "scene")
    assert "missing" not in capsys.readouterr().err  # what is asked for is all there
    (tmp_path / "elsewhere").rename(shard)
    more = ["--config", "state", "--out", str(out)]
    assert export.main([str(copy), "--format", "llava", *more]) == 1
    assert "files missing in the build" in error_of(capsys)
