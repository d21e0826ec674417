"""Boxes from a file of answers: found by picture, hash or row, in any form; what fits nothing is
told."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from command import make, tiny_site

from builder.annotate import from_file
from builder.annotate.models import Question
from core.build import read_manifest, records
from core.errors import UserError
from core.part_names import PartLabel
from core.records import Instruction, Manual, Vlm, load
from core.store import PARSE

TIGHT = "<p>1 part</p> {<20><30><60><70>}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of one manual of six eop rows, and its work, parsed."""
    folder = tmp_path_factory.mktemp("site")
    tiny_site(folder, 1)
    return folder


def rows_of(work) -> list:
    (file,) = (work / PARSE).glob("*/manual.json")
    manual = load(file, Manual)
    return [row for row in manual.instructions if row.VLM.task_label == "object"]


def built(folder, site, lines: list[dict]):
    answers = folder / "answers.jsonl"
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = make("--source", site, "--work", folder / "w", "--out", folder / "lego-arta",
               "--workers", 1, "--no-probe", "--annotator", f"file:{answers}")  # fmt: skip
    return run, folder / "lego-arta"


def test_answers_are_found_by_every_key_and_read_in_every_form(site, tmp_path):
    """Six rows, six forms of one box: the cells of all collages hold it where geometry says."""
    _, _ = built(tmp_path, site, [{"id": "x/1", "answer": TIGHT}])
    rows = rows_of(tmp_path / "w")
    manual_id = "lego-60001-a-readscr"
    width, height = 480, 360
    px = [width * 0.2, height * 0.3, width * 0.6, height * 0.7]
    forms = [
        {"image": f"anywhere/{manual_id}/{rows[0].img.split('/')[-1]}", "answer": TIGHT},
        {"sha256": rows[1].img_sha256, "raw": "<20><30><60><70>"},
        {"id": f"{manual_id}/{rows[2].instruction_id}",
         "answer": "<ref>it</ref><box>(200,300),(600,700)</box>"},
        {"image": f"{manual_id}/{rows[3].img.split('/')[-1]}", "frame": "px",
         "response": f'[{{"bbox_2d": {px}, "label": "it"}}]'},
        {"image": f"{manual_id}/{rows[4].VLM.img_path.split('/')[-1]}",
         "answer": "<answer>[0.2, 0.3, 0.6, 0.7]</answer>", "frame": "norm1"},
        {"id": f"{manual_id}/{rows[5].instruction_id}",
         "answer": "<p>ImageContent</p> {<0><0><9><9>} and <p>it</p> {<20><30><60><70>}"},
        {"id": f"{manual_id}/999", "answer": TIGHT},
    ]  # fmt: skip
    run, out = built(tmp_path, site, forms)
    assert run.returncode == 0, run.stderr
    found = pq.ParquetDataset(sorted((out / "data" / "object").glob("*.parquet"))).read()
    rows = found.to_pylist()
    assert len(rows) == 6 * 4
    for row in rows:
        (target,) = row["targets"]
        left, top = (50 * (row["cell"] % 2), 50 * (row["cell"] // 2))
        assert target["box_norm100"] == pytest.approx(
            [left + 10, top + 15, left + 30, top + 35], abs=0.2
        )
        assert row["provenance"]["annotator"] == "file:answers.jsonl"
        assert row["confidence"] == 0.5  # a model's word, which nobody confirms
    told = Counter(
        (d["task"], d["item"], d["reason"]) for d in records(out, read_manifest(out), "drops")
    )
    assert told["annotate", f"{manual_id}/999", "answer_of_no_row"] == 1
    assert sum(n for (_, _, reason), n in told.items() if reason == "image_content") == 1


def test_rows_without_an_answer_are_drops_and_another_file_is_another_build(site, tmp_path):
    built(tmp_path, site, [{"id": "x/1", "answer": TIGHT}])
    rows = rows_of(tmp_path / "w")
    lines = [{"sha256": row.img_sha256, "answer": TIGHT} for row in rows]
    for number in (6, 5):
        run, out = built(tmp_path, site, lines[:number])
        manifest = read_manifest(out)
        assert sum(manifest["rows"]["object"].values()) == 4 * number, run.stderr
        assert manifest["drop_counts"].get("object", {}).get("not_in_answer_file", 0) == 6 - number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "line 1: not an answer"),
        ('{"answer": "x"}', "none of sha256, id, image"),
        ('{"id": "a/1", "answer": 3}', "id and answer must be texts"),
        ('{"id": "a/1", "answer": "x", "frame": "inch"}', "frame 'inch' is none of"),
        ('{"id": "a/1", "answer": "x"}\n{"id": "a/1", "answer": "y"}', "line 2: a/1 has another"),
        ('{"id": "a/1", "answer": "[20, 30, 400, 500]"}', "pixels or thousandths"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_how_to_mend_it(tmp_path, text, said):
    file = tmp_path / "answers.jsonl"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        from_file.read_answers(f"file:{file}")


def test_of_several_labels_words_tell_whose_a_box_is(tmp_path):
    """One answer to a Collect text, as the paper's model gave; its boxes in another order."""
    file = tmp_path / "answers.jsonl"
    said = "<p>1 blue hose</p> {<60><10><90><40>}<delim>{<61><10><91><40>} and <p>2 red tiles</p> "
    file.write_text(json.dumps({"id": "a/1", "answer": said + "{<10><10><40><40>}"}))
    labels = (PartLabel(2, "red", "tiles 1x2"), PartLabel(1, "dark blue", "hose"))
    question = Question("0" * 64, ("Collect these.",), labels)
    row = Instruction(1, ["Collect these."], Vlm(), None, [])
    found = from_file.annotate(f"file:{file}", "a", row, question, (200, 100))
    assert [label.instances_px for label in found.labels] == [
        [(20, 10, 80, 40)],
        [(120, 10, 180, 40)],
    ]


def test_numbers_over_100_are_what_fits_the_pictures(tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text('{"id": "a/1", "answer": "[20, 30, 400, 500]", "size_wh": [640, 480]}')
    assert from_file.read_answers(f"file:{file}").frame == "norm1000"
