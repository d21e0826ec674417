"""Pages and the gallery of a small build as files, and what reviews do to the next build."""

import io
import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from review_build import HOSTILE, MANUALS, Folder, made

from builder import build as building
from builder import command as build_command
from builder import make
from builder.release import validate
from builder.release.reviews import Reviews
from core.build import missing_shards, picture_bytes
from core.errors import UserError
from core.parquet import schema
from review import command as review
from review import fitting, gallery, page, rows, sampling
from review.criteria import RATINGS
from review.questions import NamedBox, Question
from synthesis.boxes import iou
from tasks import TASKS


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Folder:
    return Folder(tmp_path_factory.mktemp("review"))


# What is asked ------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "number", "checks"), [("object", 6, 3), ("state", 6, 5)])
def test_a_page_has_its_samples_and_check_questions(built, tmp_path, task, number, checks):
    data, key, text = made(built, tmp_path / "p.html", task, "--n", number)
    known = [item for item in key.items.values() if item.row is None]
    assert len(data["items"]) == len(key.items) == number + checks
    assert len(known) == checks
    wanted = {c.name for c in RATINGS[task].criteria}
    assert all(item.known.keys() == wanted for item in known)
    # Different groups as long as there are any; neither ids nor answers are in the page.
    drawn = [item.row for item in key.items.values() if item.row]
    entries = {entry.id: entry for entry in rows.entries_of(built.out, task)}
    assert len({rows.group_of(entries[i]) for i in drawn}) == number
    assert not any(i in text for i in entries)
    assert "known" not in json.dumps(data)


def test_the_same_seed_gives_the_same_bytes_and_another_another(built, tmp_path):
    texts = [
        made(built, tmp_path / f"{n}.html", "object", "--n", 5, "--seed", seed)[2]
        for n, seed in enumerate((1, 1, 2))
    ]
    assert texts[0] == texts[1] != texts[2]


def test_checks_come_first_as_in_the_paper_or_not_at_all(built, tmp_path):
    first, key, _ = made(built, tmp_path / "a.html", "object", "--n", 5, "--checks", "first")
    assert [item.row is None for item in key.items.values()] == [True] * 3 + [False] * 5
    assert not first["rotate"]
    none, key, _ = made(built, tmp_path / "b.html", "object", "--n", 5, "--checks", "none")
    assert all(item.row for item in key.items.values()) and none["rotate"]


def test_the_known_answers_of_objects_are_right(built, tmp_path):
    """By the boxes themselves: on nothing of the kind, half on it, exactly on it."""
    data, key, _ = made(built, tmp_path / "p.html", "object", "--n", 3)
    by_text = {}
    for entry in rows.entries_of(built.out, "object"):
        by_text.setdefault(entry.columns["instruction"], []).append(entry.columns)
    seen = set()
    for item in data["items"]:
        known = key.items[item["id"]].known
        if not known:
            continue
        ious = [iou(item["boxes"][0]["px"], row["targets"][0]["box_px"]) for row in
                by_text[item["text"]]]  # fmt: skip
        same_name = item["boxes"][0]["name"] == by_text[item["text"]][0]["targets"][0]["label"]
        seen.add((known["precision"], known["clearness"]))
        if known["precision"] == 3:
            assert max(ious) == pytest.approx(1) and not same_name
        elif known["precision"] == 2:
            assert 0.15 < max(ious) < 0.6 and same_name
        else:
            assert known["precision"] == 1 and same_name
    assert seen == {(1, 1), (2, 3), (3, 1)}


def test_a_state_shows_the_wrong_one_and_its_right_one(built, tmp_path):
    data, key, _ = made(built, tmp_path / "p.html", "screening")
    _, pictures = page.read_page(tmp_path / "p.html")
    entries = {entry.id: entry for entry in rows.entries_of(built.out, "state")}
    assert len(data["items"]) == 18  # every wrong state there is
    right = {
        rows.group_of(e): picture_bytes(e.place)
        for e in entries.values()
        if e.columns["label"] == 1
    }
    for item in data["items"]:
        entry = entries[key.items[item["id"]].row]
        assert entry.columns["label"] == 0
        assert pictures[item["pictures"][0]] == picture_bytes(entry.place)
        assert pictures[item["pictures"][1]] == right[rows.group_of(entry)]
    shown = {pictures[number] for item in data["items"] for number in item["pictures"]}
    assert len(pictures) == len(shown)  # every picture is in the page once


def test_pictures_are_lossless_webp_also_of_png_builds(built, tmp_path):
    source = next((built.work / "1_crawl").rglob("*.png"))
    data, size = rows.as_webp(source.read_bytes())
    (tmp_path / "a.webp").write_bytes(data)
    with Image.open(tmp_path / "a.webp") as webp, Image.open(source) as png:
        assert webp.format == "WEBP" and webp.size == size
        assert webp.convert("RGB").tobytes() == png.convert("RGB").tobytes()


def test_a_page_too_large_for_a_mail_gets_smaller_pictures_and_boxes(monkeypatch):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (300, 1600, 3), np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "WEBP", lossless=True)
    box = NamedBox("part", (400.0, 100.0, 800.0, 200.0))
    sizes = ((1600, 300),) * 2
    question = Question("r", "m", "", (buffer.getvalue(),) * 2, sizes, (box,))
    assert fitting.fitted([question]) == ([question], None)
    monkeypatch.setattr(fitting, "PICTURE_BYTES", len(buffer.getvalue()))
    (smaller,), side = fitting.fitted([question])
    assert side == 960 and smaller.sizes_wh == ((960, 180),) * 2
    assert smaller.boxes[0].box_px == pytest.approx((240, 60, 480, 120))
    for data in smaller.pictures:
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (960, 180)
    assert sum(map(len, smaller.pictures)) <= fitting.PICTURE_BYTES


def test_mixed_checks_are_spread_over_the_page():
    questions = [Question(f"r{n}", "m", "", (), ()) for n in range(100)]
    known = [Question(None, "m", "", (), (), (), {"a": n}) for n in range(5)]
    for seed in range(30):
        order = sampling.arranged(questions, known, "mixed", seed)
        places = [n for n, question in enumerate(order) if question.row is None]
        assert [q for q in order if q.row] == questions
        assert places[0] >= 2 and all(b - a > 1 for a, b in itertools.pairwise(places))
        assert [sum(p // 21 == part for p in places) for part in range(5)] != [5, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["make", "{tmp}", "--task", "object"], "not a build"),
        (["make", "{tmp}/empty", "--task", "state"], "no state rows"),
        (["gallery", "{tmp}"], "not a build"),
        (["gallery", "{out}", "--manual", "lego-1-none"], "lego-60001"),
        (["gallery", "{out}", "--out", "{tmp}"], "no gallery"),
        (["score", "{tmp}/none.json"], "none.json"),
    ],
)
def test_what_can_not_be_done_is_one_line(built, tmp_path, capsys, arguments, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "build.json").write_text('{"dataset": "lego-arta"}')
    out = ["--out", str(tmp_path / "new")] if "--out" not in arguments else []
    arguments = [part.format(tmp=tmp_path, out=built.out) for part in arguments]
    assert review.main([*arguments, *out]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("error:") and words in said[0]
    assert {path.name for path in tmp_path.iterdir()} == {"empty"}


# The page as a file -------------------------------------------------------------------------


def test_texts_can_not_break_out_of_the_page(tmp_path):
    boxes = (NamedBox(HOSTILE, (4.0, 4.0, 20.0, 20.0)),)
    question = Question("r", HOSTILE, HOSTILE, (b"picture",), ((40, 30),), boxes)
    page.write_page(
        tmp_path / "p.html", *page.page_and_key(RATINGS["object"], [question], {}, True)
    )
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    data, _ = page.read_page(tmp_path / "p.html")
    assert data["items"][0]["text"] == HOSTILE == data["items"][0]["boxes"][0]["name"]
    assert text.count("<script>") == 1 and "onerror" not in re.sub(r"\{.*\}", "", text)
    assert re.search(r"default-src 'none'; script-src 'sha256-[^ ']+'; style-src 'sha256-", text)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)


# Reviews in a build -------------------------------------------------------------------------


def rows_by_id(out: Path) -> dict[str, dict]:
    found = {}
    for config in TASKS:
        for path in sorted(out.glob(f"data/{config}/*.parquet")):
            for row in pq.read_table(path).to_pylist():
                found[row["id"]] = {**row, "config": config}
    return found


def test_reviews_leave_rows_out_and_set_weights(built, tmp_path):
    """Whole objects and groups go, everything else stays as it was, byte by byte."""
    before = rows_by_id(built.out)
    objects = [row for row in before.values() if row["config"] == "object"]
    states = [row for row in before.values() if row["config"] == "state" and row["label"] == 0]
    bad_object, good_object = objects[0], objects[-1]
    bad_state, good_state = states[0], states[-1]
    reviews = Reviews(
        tuple(sorted([bad_object["id"], bad_state["id"], "of another build"])),
        tuple(sorted({good_object["id"]: 0.75, good_state["id"]: 0.5}.items())),
        disputed=(good_state["id"],),
    )
    manifest = built.assemble(tmp_path / "lego-arta", reviews=reviews)
    after = rows_by_id(tmp_path / "lego-arta")
    assert list(validate.violations(tmp_path / "lego-arta")) == []
    key = ("manual_id", "session_id", "instruction")
    gone = {i for i in before if i not in after}
    assert gone == {
        i for i, row in before.items()
        if row.get("group_id") == bad_state["group_id"]
        or (row["config"] == "object" and [row[k] for k in key] == [bad_object[k] for k in key])
    }  # fmt: skip
    assert len(gone) == 8
    weights = {i: row["sample_weight"] for i, row in after.items()}
    changed = {i for i in after if weights[i] != before[i]["sample_weight"]}
    same_object = {i for i, row in before.items() if row["config"] == "object"
                   and [row[k] for k in key] == [good_object[k] for k in key]}  # fmt: skip
    assert changed == same_object | {good_state["id"]} and len(same_object) == 4
    assert weights[good_state["id"]] == 0.5 and weights[good_object["id"]] == 0.75
    verdicts = {i: row["verdict"] for i, row in after.items() if row["verdict"]}
    assert verdicts == {**dict.fromkeys(same_object, "accepted"), good_state["id"]: "disputed"}
    set_by_people = {"sample_weight": 0, "verdict": None}
    for i, row in after.items():
        assert {**row, **set_by_people} == {**before[i], **set_by_people}
    assert manifest["review_counts"] == {
        "judged": 5, "in_this_build": 4, "left_out": 8, "weighted": 5,
    }  # fmt: skip
    drops = manifest["drop_counts"]
    assert drops["object"]["rejected_by_raters"] == 1
    assert drops["state"]["with_a_rejected_row"] == 3
    card = (tmp_path / "lego-arta" / "README.md").read_text()
    assert "People judged 5 rows" in card and "No person" not in card
    assert "No person annotated or rated" in (built.out / "README.md").read_text()


def test_the_same_reviews_leave_a_build_alone_and_others_do_not(built, tmp_path):
    out, row = tmp_path / "lego-arta", next(iter(rows_by_id(built.out)))
    reviews = Reviews((), ((row, 0.25),))
    first = built.assemble(out, reviews=reviews)
    written = (out / "build.json").stat().st_mtime_ns
    assert built.assemble(out, reviews=reviews) == first
    assert (out / "build.json").stat().st_mtime_ns == written
    assert built.assemble(out)["fingerprint"] != first["fingerprint"]
    assert rows_by_id(out) == rows_by_id(built.out)


def test_the_command_takes_reviews_and_says_so(built, tmp_path, capsys):
    (tmp_path / "a.json").write_text("{}")
    command = [
        "--source",
        str(tmp_path),
        "--out",
        str(tmp_path / "x"),
        "--work",
        str(tmp_path / "w"),
    ]
    with pytest.raises(SystemExit):
        make.main([*command, "--reviews"])
    options = build_command.parser().parse_args([*command, "--reviews", str(tmp_path / "a.json")])
    with pytest.raises(UserError, match="--reviews"):
        building.reviews_of(options.reviews)
    assert building.reviews_of([]) == Reviews()


# The gallery as files -----------------------------------------------------------------------


def test_a_gallery_holds_every_row_its_boxes_and_its_episodes(built, tmp_path):
    out = tmp_path / "gallery"
    assert gallery.write_gallery(built.out, out) == {
        "rows": len(rows_by_id(built.out)), "sessions": 2, "of": 2, "missing": [],
    }  # fmt: skip
    text = (out / "index.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    before = rows_by_id(built.out)
    assert {row["id"] for row in data["rows"]} == before.keys()
    for row in data["rows"]:
        assert (out / row["picture"]).read_bytes()[:4] == b"RIFF"
        roles = [box["role"] for box in row["boxes"]]
        if row["config"] == "object":
            assert roles.count("asked") == 1 and roles.count("part") == 4
        elif row["config"] == "state":
            assert roles == (["right"] if row["kind"] == "right" else ["right", "wrong"])
    for episode in data["episodes"]:
        assert len(episode["steps"]) == 4
        for number, step in enumerate(episode["steps"]):
            scene = before[step["scene"]]
            texts = {
                r["instruction"]
                for r in before.values()
                if r["config"] == "object" and step["object"].endswith(r["instruction"])
            }
            assert texts == {scene["previous_instruction"]}  # fmt: skip
            assert (step["state"] is None) == (number == 0)
    again = gallery.write_gallery(built.out, out, 1)  # an older gallery may be replaced
    assert again["sessions"] == 1 and len(list((out / "pictures").glob("*.webp"))) == again["rows"]


def test_a_gallery_shows_what_was_asked_for(built, tmp_path):
    command = ["gallery", str(built.out), "--out", str(tmp_path / "g"), "--manual", MANUALS[1]]
    assert review.main(command) == 0
    text = (tmp_path / "g" / "index.html").read_text()
    assert MANUALS[1] in text and MANUALS[0] not in text


def test_large_pictures_are_made_smaller_and_hostile_texts_stay_texts(tmp_path):
    image = io.BytesIO()
    Image.new("RGB", (2400, 1200), "red").save(image, "PNG")
    folder = tmp_path / "lego-arta"
    (folder / "data" / "scene").mkdir(parents=True)
    (folder / "build.json").write_text('{"dataset": "lego-arta"}')
    row = {
        **dict.fromkeys(schema("scene").names), "id": "a", "manual_id": "m", "session_id": "m/s",
        "instruction": HOSTILE, "query": "q", "answer": "a", "confidence": 1.0,
        "sample_weight": 1.0, "image": {"bytes": image.getvalue(), "path": "a.png"},
        "provenance": {"source_images": [], "annotator": None},
    }  # fmt: skip
    table = pa.Table.from_pylist([row], schema=schema("scene"))
    pq.write_table(table, folder / "data" / "scene" / "train-00000-of-00001.parquet")
    gallery.write_gallery(folder, tmp_path / "g")
    with Image.open(tmp_path / "g" / "pictures" / "a.webp") as small:
        assert small.size == (960, 480)
    text = (tmp_path / "g" / "index.html").read_text()
    assert text.count("<script>") == 1 and "onerror" not in text.replace("\\u003c", "")[:200]
    assert HOSTILE not in text


def test_a_gallery_says_which_shards_are_missing_and_how_many_rows(built, tmp_path, capsys):
    """On the terminal and on the page; what is there is shown."""
    copy = shutil.copytree(built.out, tmp_path / "lego-arta")
    shard = next((copy / "data" / "state").glob("train-*"))
    lost = pq.read_metadata(shard).num_rows
    shard.unlink()
    assert review.main(["gallery", str(copy), "--out", str(tmp_path / "g")]) == 0
    said = capsys.readouterr()
    name = shard.relative_to(copy).as_posix()
    assert f"state train: {lost} of {lost} rows are missing" in said.err and name in said.err
    text = (tmp_path / "g" / "index.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    assert len(data["missing"]) == 1 and name in data["missing"][0]
    assert len(data["rows"]) == len(rows_by_id(built.out)) - lost
    page_of = ["make", str(copy), "--out", str(tmp_path / "p.html"), "--n", "2", "--task"]
    assert review.main([*page_of, "object"]) == 0 and "missing" not in capsys.readouterr().err
    assert review.main([*page_of, "state"]) == 1  # not one is left
    assert name in capsys.readouterr().err


def test_missing_shards_are_counted_by_split(tmp_path):
    manifest = {
        "files": {f"data/state/train-0000{n}-of-00003.parquet": {} for n in range(3)}
        | {"README.md": {}, "data/scene/test-00000-of-00001.parquet": {}},
        "rows": {"state": {"train": 1200}, "scene": {"test": 7}},
    }
    (tmp_path / "data" / "state").mkdir(parents=True)
    shard = tmp_path / "data" / "state" / "train-00001-of-00003.parquet"
    pq.write_table(pa.table({"id": ["r"] * 400}), shard)
    found = missing_shards(tmp_path, manifest)
    assert [(one.config, one.split, one.rows, one.of, len(one.files)) for one in found] == [
        ("scene", "test", 7, 7, 1), ("state", "train", 800, 1200, 2),
    ]  # fmt: skip
    assert "800 of 1,200 rows are missing" in str(found[1])
