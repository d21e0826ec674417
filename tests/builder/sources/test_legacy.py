"""The released layout: read as its own code reads it, and imported into a build."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from export_build import all_rows, export_build, pixels
from exported import run

from builder import make
from builder.release import validate
from builder.sources.released import importing as legacy
from builder.sources.released.source import RELEASED
from builder.stages import BuildOptions, build_manual
from core.answers import parse_boxes
from core.build import records
from core.errors import UserError
from core.items import load_items
from core.pictures.media import encode
from core.records import ManualStats, load
from core.store import CRAWL, ROWS
from evaluation.examples import allowed

LISTS = {"grounding_qwen.jsonl": ("scene", "lego"),
         "object_qwen_new.jsonl": ("object", "object_dataset/lego"),
         "state_qwen.jsonl": ("state", "step_dataset/lego")}  # fmt: skip


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=4, test_manuals=1)


@pytest.fixture(scope="module")
def exported(build, tmp_path_factory) -> Path:
    return run(build, tmp_path_factory.mktemp("x") / "arta", "legacy")


def arrays(text: str) -> list[list]:
    """JSON arrays one after another, their brackets matched over lines."""
    found, depth, start, quoted, skip = [], 0, 0, False, False
    for at, sign in enumerate(text):
        if skip:
            skip = False
        elif quoted and sign == "\\":
            skip = True
        elif sign == '"':
            quoted = not quoted
        elif not quoted and sign in "[]":
            start = at if depth == 0 else start
            depth += 1 if sign == "[" else -1
            if depth == 0:
                found.append(json.loads(text[start : at + 1]))
    return found


def read_released(root: Path) -> list[dict]:
    """The rows that code written for the released dataset gets from a folder."""
    known = {}
    for path in (root / "json_data").rglob("*.json"):
        manual = json.loads(path.read_text())
        assert manual["manual_type"] == "lego" and manual["manual_id"].startswith("lego-")
        texts = {i["instruction_id"]: " ".join(i["text"]) for i in manual["instructions"]}
        for instruction in manual["instructions"]:
            image = instruction["VLM"]["img_path"]
            if image:
                key = image.split("lego/", 1)[1].rsplit(".", 1)[0]
                before = texts.get(instruction["instruction_id"] - 1)
                known[key] = (instruction["VLM"]["step_class"], before)
    rows, seen = [], set()
    for name, (config, folder) in LISTS.items():
        for user, assistant in arrays((root / "qwen_data" / name).read_text()):
            parts = {part["type"]: part for part in user["content"]}
            below = parts["image"]["image"].split("lego/", 1)[1]
            paths = [root / folder / below]
            if config == "state" and "_fake" in below:
                paths.append(root / "lego" / re.sub(r"_fake\d+", "", below))
            for path in paths:
                if not path.is_file() or (path, config) in seen:
                    continue
                seen.add((path, config))
                stem = path.stem
                number = re.search(r"[_-](\d{1,4})_step" if config != "object"
                                   else r"[_-](\d{1,4}).*?eop", stem)  # fmt: skip
                assert number, stem  # the released code stops here
                key = f"{path.parent.parent.name}/images/{stem}"
                step_class = known.get(key, (None, None))[0] or (
                    "step" if "_step_" in stem else "eop" if "eop" in stem else None
                )
                kept = {"scene": {"step"}, "object": {"eop"}}
                assert step_class in kept.get(config, {"step", "eop", "fullscreeneop"})
                answer = assistant["content"][0]["text"]
                if config == "state":
                    answer = "No." if "_fake" in stem else "Yes."
                rows.append({"config": config, "path": path, "query": parts["text"]["text"],
                             "answer": answer, "step": int(number[1]),
                             "before": known.get(key, (None, None))[1]})  # fmt: skip
    return rows


def test_code_for_the_released_layout_reads_every_row(build, exported):
    ours = {
        (row["config"], pixels(row["image"]["bytes"]).tobytes()): row
        for row in all_rows(build).values()
    }
    found = read_released(exported)
    assert len(found) == len(ours)
    for row in found:
        data = row["path"].read_bytes()
        assert data.startswith(b"\x89PNG")
        own = ours.pop((row["config"], pixels(data).tobytes()))
        assert row["step"] == own["step_num"] and own["manual_id"] in row["path"].parts
        if row["config"] == "object":
            boxes = json.loads(row["answer"])  # R1's form, in percent
            said = parse_boxes(own["answer"]).boxes
            assert [(b["label"], tuple(map(float, b["bbox_2d"]))) for b in boxes] == list(said)
        else:
            assert (row["query"], row["answer"]) == (own["query"], own["answer"])
        if row["config"] == "scene":
            assert row["before"] == own["previous_instruction"]
    assert not ours


def test_the_readme_says_that_names_tell(exported):
    assert "State labels stand in the file names" in (exported / "README.md").read_text()


def imported(source: Path, folder: Path, *more: str) -> Path:
    out = folder / "lego-arta"
    arguments = ["--source", f"legacy:{source}", "--out", str(out), "--work", str(folder / "w"),
                 "--workers", "1", "--no-probe", "--debug", *more]  # fmt: skip
    assert make.main(arguments) == 0
    return out


@pytest.fixture(scope="module")
def back(exported, tmp_path_factory) -> Path:
    return imported(exported, tmp_path_factory.mktemp("back"))


def test_there_and_back(build, back):
    """Everything that the layout can hold is the same again, and the build is a sound one."""
    assert list(validate.violations(back)) == []
    ours, again = (
        {(r["config"], pixels(r["image"]["bytes"]).tobytes()): r for r in all_rows(b).values()}
        for b in (build, back)
    )
    assert ours.keys() == again.keys()
    for key, row in ours.items():
        other = again[key]
        same = ["manual_id", "session_id", "step_num", "query", "answer", "instruction", "entities"]
        same += {"scene": ["previous_instruction"], "object": ["cell"],
                 "state": ["label", "boundary_color", "previous_instruction"]}[key[0]]  # fmt: skip
        assert {c: row[c] for c in same} == {c: other[c] for c in same}
        if key[0] == "object":
            boxes = [[t["box_norm100"] for t in r["targets"]] for r in (row, other)]
            np.testing.assert_allclose(*boxes, atol=0.51)
            assert [t["count"] for t in other["targets"]] == [t["count"] for t in row["targets"]]
        if key[0] == "state":
            assert other["part_box_px"] is other["shift_fraction"] is other["correction"] is None


def test_imported_groups_stay_apart_in_examples(back):
    """The four collages of an object and the four states of a step know each other."""
    for config in ("object", "state"):
        items = load_items(back, config, "train")
        sizes = [sum(not allowed(item, other) for other in items) for item in items]
        assert set(sizes) == {4}


def test_importing_again_changes_nothing(exported, tmp_path):
    out = imported(exported, tmp_path)
    before = (out / "build.json").read_bytes()
    assert imported(exported, tmp_path) == out and (out / "build.json").read_bytes() == before
    some = imported(exported, tmp_path / "some", "--limit", "2")
    assert json.loads((some / "build.json").read_text())["records"]["inputs"] == 2


# What releases hold besides ----------------------------------------------------------------------


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(np.random.default_rng(seed).integers(0, 255, (24, 32, 3), np.uint8),
                            "png"))  # fmt: skip


def line(image: str, question: str, answer: str) -> str:
    content = [{"type": "image", "image": f"file:///home/x/{image}"},
               {"type": "text", "text": question}]  # fmt: skip
    return json.dumps(
        [{"role": "user", "content": content},
         {"role": "assistant", "content": [{"type": "text", "text": answer}]}], indent=1
    )  # fmt: skip


@pytest.fixture
def release(tmp_path) -> Path:
    """A folder with what the real one shows: arrays over lines, junk, lost files, odd names."""
    root, manual = tmp_path / "ARTA_LEGO", "lego-10001-hut-readscr"
    images = f"lego/{manual}/images"
    eop, step = "Hut-0_eop_Step%20%23%23A", "Hut-1_step_Step%20%23%23B"
    for number, path in enumerate([f"{images}/{eop}", f"{images}/{step}",
                                   f"object_dataset/{images}/{eop}_tl",
                                   f"object_dataset/{images}/{eop}_br"]):  # fmt: skip
        picture(root / f"{path}.png", number)
    for fake in (1, 2, 3):
        picture(root / "step_dataset" / images / f"{step}_fake{fake}.png", 10 + fake)
    instructions = [
        {"instruction_id": 0, "text": "Find 1 red brick 2x2.", "img_url": None,
         "VLM": {"img_path": f"x/lego/{manual}/images/{eop}.png", "step_class": "eop",
                 "step_num": "0", "bound_color": "None"},
         "entities": [[{"this_line": "Find 1"}, {"verb": "Find"}], [{"det": "1"}]]},
        {"instruction_id": 1, "text": ["Put it down."],
         "VLM": {"img_path": f"x/lego/{manual}/images/{step}.png", "step_class": "step",
                 "step_num": None, "bound_color": ["#FF00FF"]}, "entities": []},
    ]  # fmt: skip
    (root / "json_data" / "a").mkdir(parents=True)
    text = json.dumps({"manual_id": manual, "manual_type": "lego", "instructions": instructions})
    (root / "json_data" / "a" / "hut.json").write_text(text)
    boxes = "[{'bbox_2d': [10, 10, 30, 30], 'label': '1 red brick'}]"
    lists = {
        "grounding/grounding_qwen.jsonl": [
            line(f"{images}/{step}.png", "<image>[grounding] After I find?", "Put it down."),
            line(f"{images}/{step}.png", "the same picture again", "no"),
            line(f"{images}/lost-2_step.png", "gone", "gone"),
        ],
        "object/object_qwen_new.jsonl": [
            line(f"{images}/{eop}_tl.png", "[object] positions of 1 red brick", boxes),
            line(f"{images}/{eop}_br.png", "[object]", '[{"bbox_2d": [1, 1, 99, 99], '
                 '"label": "<p>ImageContent</p>"}]'),
        ],
        "state/state_qwen.jsonl": [
            line(f"{images}/{step}{'fake' if fake == 1 else '_fake'}{fake}.png", "[state] ok?", "?")
            for fake in (1, 2, 3)
        ],
    }  # fmt: skip
    for name, lines in lists.items():
        (root / "qwen_data" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "qwen_data" / name).write_text("\n".join(lines))
    return root


def test_what_a_release_holds_is_taken_or_told(release, tmp_path):
    out = imported(release, tmp_path / "b")
    rows = list(all_rows(out).values())
    by_config = {c: [r for r in rows if r["config"] == c] for c in ("scene", "object", "state")}
    (scene,), (collage,) = by_config["scene"], by_config["object"]
    assert scene["query"] == "[grounding] After I find?" and scene["step_num"] == 1
    assert scene["session_id"].endswith("/Hut")
    assert scene["previous_instruction"] == "Find 1 red brick 2x2."
    assert collage["instruction"] == "Find 1 red brick 2x2." and collage["cell"] == 0
    assert collage["answer"] == "<p>1 red brick</p> {<10><10><30><30>}"
    assert collage["entities"] == [{"tag": "verb", "text": "Find"}, {"tag": "det", "text": "1"}]
    assert sorted(r["answer"] for r in by_config["state"]) == ["No.", "No.", "No.", "Yes."]
    assert {r["boundary_color"] for r in by_config["state"]} == {"#FF00FF"}
    drops = {(d["task"], d["reason"]) for d in records(out, {}, "drops")}
    assert drops == {
        ("scene", "missing_file"), ("object", "junk_answer"), ("scene", "same_picture_again"),
    }  # fmt: skip


def test_every_list_is_read_or_named(release, tmp_path):
    """Tasks by the rows' own tokens or the files' names, one array of rows, right states told."""
    data = release / "qwen_data"
    (grounding,) = data.rglob("grounding_qwen.jsonl")
    images, step = "lego/lego-10001-hut-readscr/images", "Hut-1_step_Step%20%23%23B"
    scenes = grounding.read_text()
    grounding.rename(data / "grounding" / "scene_qwen.jsonl")
    (objects,) = data.rglob("object_qwen_new.jsonl")
    objects.rename(data / "all.jsonl")  # told by its tokens
    (states,) = data.rglob("state_qwen.jsonl")
    fakes = arrays(states.read_text())
    right = json.loads(line(f"{images}/{step}.png", "[state] ok?", "Yes."))
    states.write_text(json.dumps([right, *fakes]))
    (data / "notes.txt").write_text("hello")
    (data / "other.jsonl").write_text('{"a": 1}')
    (data / "strange.jsonl").write_text('[["x"]]')
    (data / "untold.jsonl").write_text(line(f"{images}/{step}.png", "who?", "me"))
    (release / "json_data" / "b.json").write_text(
        json.dumps({"manual_id": "lego-2-b", "instructions": []})
    )
    out = imported(release, tmp_path / "b")
    counted = {c: sum(r["config"] == c for r in all_rows(out).values())
               for c in ("scene", "object", "state")}  # fmt: skip
    assert "[grounding]" in scenes and counted == {"scene": 1, "object": 1, "state": 4}
    drops = list(records(out, {}, "drops"))
    assert {(d["item"], d["reason"]) for d in drops if d["task"] == "crawl"} == {
        ("qwen_data/notes.txt", "not_a_list_of_rows"),
        ("qwen_data/other.jsonl", "not_a_list_of_rows"),
        ("qwen_data/strange.jsonl", "not_a_list_of_rows"),
        ("qwen_data/untold.jsonl", "task_not_known"),
        ("json_data/b.json", "no_rows"),
    }
    assert not [d for d in drops if d["task"] == "state"]  # no used row is called missing


def test_every_row_of_a_list_is_accounted_for(release):
    """Pretty-printed, on one line, concatenated, several in a conversation, repeated, with text
    between: what is not taken is told."""
    images = "lego/lego-10001-hut-readscr/images"
    rows = [line(f"{images}/Hut-{n}_step.png", f"[grounding] {n}?", f"Step {n}.") for n in range(7)]
    flat = [json.dumps(json.loads(row)) for row in rows]
    talk = json.dumps([message for row in rows[3:5] for message in json.loads(row)])
    text = (
        f"{rows[0]},\n{flat[1]}{flat[2]}\n\n{talk} and then\n[{flat[5]}, {flat[6]}] {flat[1]} end"
    )
    path = release / "qwen_data" / "grounding" / "grounding_qwen.jsonl"
    path.write_text(text)
    (page,), drops = legacy.read_pages(release)
    told = [(row.query, row.answer) for row in page.rows if row.config == "scene"]
    assert told == [(f"[grounding] {n}?", f"Step {n}.") for n in range(7)]
    assert [(d.reason, d.detail) for d in drops] == [
        ("text_between_rows", "and then"),
        ("same_row_again", "[grounding] 1? Step 1."),
        ("text_between_rows", "end"),
    ]


def test_an_answer_that_contradicts_its_picture_s_name_is_dropped(release, tmp_path):
    (states,) = release.rglob("state_qwen.jsonl")
    states.write_text(states.read_text().replace('"?"', '"Yes."', 1))
    out = imported(release, tmp_path / "b")
    reasons = json.loads((out / "build.json").read_text())["drop_counts"]["state"]
    assert reasons == {"answer_contradicts_name": 1, "group_not_whole": 3}


@pytest.mark.parametrize("with_manual", [True, False])
def test_a_released_manual_in_another_language_is_a_drop(release, tmp_path, with_manual):
    """The card says that the texts are English."""
    (file,) = (release / "json_data").rglob("*.json")
    text = file.read_text().replace("Find 1 red brick 2x2.", "Suche 1 roten Stein 2x2.")
    file.write_text(text.replace("Put it down.", "Setze ihn auf den Tisch."))
    if not with_manual:
        file.unlink()
    path = release / "qwen_data" / "grounding" / "grounding_qwen.jsonl"
    path.write_text(path.read_text().replace("Put it down.", "Setze ihn auf den Tisch."))
    (page,) = legacy.read_pages(release).pages
    manual_id = legacy.import_manual(release, page, tmp_path / CRAWL)
    build_manual(manual_id, BuildOptions(tmp_path, ready_made=RELEASED.ready_made))
    stats = load(tmp_path / ROWS / manual_id / "stats.json", ManualStats)
    assert [(d.item, d.reason) for d in stats.drops] == [("manual", "manual_in_German")]
    index = json.loads((tmp_path / ROWS / manual_id / "index.json").read_text())
    assert not any(index.values())


def test_a_group_that_is_not_whole_is_dropped(release, tmp_path):
    next((release / "step_dataset").rglob("*_fake2.png")).unlink()
    out = imported(release, tmp_path / "b")
    assert not [row for row in all_rows(out).values() if row["config"] == "state"]
    reasons = json.loads((out / "build.json").read_text())["drop_counts"]["state"]
    assert reasons == {"group_not_whole": 3, "missing_file": 1}


def test_pixels_are_told_from_percent(release, tmp_path):
    path = release / "qwen_data" / "object" / "object_qwen_new.jsonl"
    many = "".join(f"{{'bbox_2d': [{900 + i}, 600, 950, 700], 'label': 'b'}}, " for i in range(9))
    text = path.read_text().replace("[{'bbox_2d': [10, 10, 30, 30], 'label': '1 red brick'}]",
                                    f"[{many[:-2]}]")  # fmt: skip
    path.write_text(text)
    (row,) = [r for r in all_rows(imported(release, tmp_path / "b")).values()
              if r["config"] == "object"]  # fmt: skip
    assert row["cell"] == 3 and row["targets"][0]["box_norm100"] == pytest.approx([90, 60, 95, 70])


def test_folders_of_another_layout(release, tmp_path, capsys):
    def said(*arguments: str) -> str:
        places = ["--out", str(tmp_path / "o"), "--work", str(tmp_path / "w"), "--workers", "1"]
        assert make.main([*arguments, *places]) == 1
        return capsys.readouterr().err.splitlines()[-1]

    assert "no qwen_data/" in said("--source", f"legacy:{tmp_path}")
    assert f"legacy:{release}" in said("--source", str(release))
    assert "--recipe" in said("--source", f"legacy:{release}", "--recipe")
    broken = release / "qwen_data" / "state" / "state_qwen.jsonl"
    broken.write_text('[{"role": "user"}]\n')
    assert "line 1" in said("--source", f"legacy:{release}")
    broken.write_text("")
    (release / "json_data" / "b.json").write_text("{}")
    with pytest.raises(UserError, match=r"b\.json: not a manual"):
        legacy.read_pages(release)
    assert not (tmp_path / "o").exists()


CONFIGS = ("scene", "object", "state")


def test_the_thesis_rows_beside_the_layout(build, exported):
    """Its Table 4.2: every row once, its id unique among all lists, a picture by its name."""
    rows, ids = all_rows(build).values(), []
    for config in CONFIGS:
        entries = json.loads((exported / f"thesis_data/{config}.json").read_text())
        own = [r for r in rows if r["config"] == config]
        assert len(entries) == len(own)
        texts = {(r["manual_id"], r["query"], r["answer"]) for r in own}
        for entry in entries:
            assert list(entry) == ["id", "image", "conversations"]
            manual_id, number = entry["id"].rsplit("-", 1)
            human, gpt = entry["conversations"]
            assert (human["from"], gpt["from"]) == ("human", "gpt") and number.isdecimal()
            assert (manual_id, human["value"], gpt["value"]) in texts
            assert "/" not in entry["image"] and list(exported.rglob(entry["image"]))
        ids += [entry["id"] for entry in entries]
    assert len(set(ids)) == len(ids)


def test_the_thesis_manuals_have_every_key(build, exported):
    """Its Table 4.1: the keys in order, "None" for the unknown, boxes of the picture itself."""
    collages = [row for row in all_rows(build).values() if row["config"] == "object"]
    keys = ["img_path", "parts_img_path", "id_sign", "step_num", "step_class", "other_sign",
            "background_rect", "color_list", "bound_color", "task_label", "query",
            "MiniGPTv2_output"]  # fmt: skip
    for path in (exported / "json_data").glob("*.json"):
        for entry in json.loads(path.read_text())["instructions"]:
            vlm, text = entry["VLM"], entry["text"][0]
            assert list(vlm) == keys and None not in vlm.values()
            assert vlm["parts_img_path"] == vlm["background_rect"] == "None"
            assert entry["entities"][0] == {"this_line": text}
            assert isinstance(vlm["step_num"], int) and vlm["id_sign"] == "Car"
            if vlm["step_class"] != "eop":
                assert vlm["query"] == vlm["MiniGPTv2_output"] == "None"
                continue
            # Twice the boxes of a collage, from the corner of its cell.
            own = [
                tuple(2 * (v - c) for v, c in zip(t["box_norm100"], corner * 2, strict=True))
                for row in collages
                if row["instruction"] == text
                for corner in [(50 * (row["cell"] % 2), 50 * (row["cell"] // 2))]
                for t in row["targets"]
            ]
            said = parse_boxes(vlm["MiniGPTv2_output"]).boxes
            assert vlm["query"] == text and said and {box.box for box in said} <= set(own)
