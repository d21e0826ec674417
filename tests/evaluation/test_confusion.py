"""The table of what is answered instead of what holds."""

import csv
import dataclasses

import numpy as np
import pytest
from scored import score, write
from spatial_build import contradicting

from core.items import load_items
from core.metrics import Said
from core.relations import RELATIONS, WORDS
from evaluation.confusion import OTHER, confusion_table


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return contradicting(tmp_path_factory.mktemp("confusion"))


def numbers(lines):
    """(10, 10) counts with the sums left out: nine labels, every row ends with other."""
    return np.array([[int(cell) for cell in line[1:-1]] for line in lines[:-1]])


def test_answers_stand_where_they_belong(build):
    """Every relation against every other, right ones of several that hold on the diagonal."""
    first = next(item for item in load_items(build, "spatial", "train")
                 if item.conversation == "classification")  # fmt: skip
    items, saids = [], []
    for gold in RELATIONS:
        for said in RELATIONS:
            items.append(dataclasses.replace(first, relations=(gold,)))
            saids.append(Said(WORDS[said]))
    both = dataclasses.replace(first, relations=("on", "left"))
    items += [both] * 4
    saids += [Said("It is to the left of it."), Said("on and to the left of"), Said(None),
              Said("right")]  # fmt: skip
    items.append(dataclasses.replace(first, conversation="open"))
    saids.append(Said("on"))  # no label is asked for
    table = confusion_table("spatial", "t", items, saids)
    assert table.head == ["holds", *WORDS.values(), OTHER, "all"]
    found = numbers([[cell.text for cell in row] for row in table.rows])
    expected = np.ones((9, 10), int)
    expected[:, 9] = 0
    place = {name: index for index, name in enumerate(RELATIONS)}
    expected[place["left"], place["left"]] += 1
    expected[place["on"], 9] += 2
    expected[place["on"], place["right"]] += 1
    assert (found == expected).all()
    assert [cell.text for cell in table.rows[-1]][-1] == str(expected.sum()) == "85"
    bold = [(r, c) for r, row in enumerate(table.rows) for c, cell in enumerate(row) if cell.bold]
    assert bold == [(n, n + 1) for n in range(9)]


def test_tasks_without_labels_have_no_table():
    assert confusion_table("scene", "t", [], []) is None
    assert confusion_table("spatial", "t", [], []) is None


def test_the_command_writes_a_table_a_run(build, tmp_path, capsys):
    items = load_items(build, "spatial", "test")
    choices = [item for item in items if item.conversation == "classification"]
    assert len(choices) == 2
    said = {choices[0].id: "under", choices[1].id: "somewhere else"}
    write(tmp_path / "one.spatial.jsonl", [(i.id, said.get(i.id, i.answer)) for i in items])
    write(tmp_path / "two.spatial.jsonl", [(i.id, i.answer) for i in items])
    score(build, tmp_path / "s", tmp_path / "one.spatial.jsonl", tmp_path / "two.spatial.jsonl")
    assert "by what holds" not in capsys.readouterr().out
    with (tmp_path / "s" / "spatial.confusion.one.csv").open(newline="") as file:
        found = list(csv.reader(file))
    assert found[1] == ["on", "0", "0", "0", "1", "0", "0", "0", "0", "0", "1", "2"]
    with (tmp_path / "s" / "spatial.confusion.two.csv").open(newline="") as file:
        assert list(csv.reader(file))[1][1] == "2"
    for name in ("scores.md", "report.html"):
        assert "answers of one by what holds" in (tmp_path / "s" / name).read_text()
