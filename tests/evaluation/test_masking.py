"""`evaluate run --deploy` and `evaluate masking`: what a model sees, and how it is scored then."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from export_build import all_rows, pixels
from openai_server import OpenAiServer, serving
from painted_build import measured, painted_build
from PIL import Image
from scored import gold, score, write

from core.items import load_items
from evaluation import command as evaluate
from synthesis.deploy import METHODS, deploy
from tasks.row_masks import gold_masks


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(
        tmp_path_factory.mktemp("b") / "lego-arta", manuals=4, test_manuals=3, steps=2
    )


def map_for(row: dict) -> np.ndarray:
    """1 on the painted parts."""
    height, width = pixels(row["image"]["bytes"]).shape[:2]
    entries = row.get("targets") or []
    px = [box for entry in entries for box in entry["instances_px"]] or [[20, 20, 90, 90]]
    found = np.zeros((height, width), np.float32)
    for x0, y0, x1, y1 in (map(int, box) for box in px):
        found[y0:y1, x0:x1] = 1
    return found


@pytest.fixture(scope="module")
def maps(build, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    for row_id, row in all_rows(build).items():
        np.save(folder / f"{row_id}.npy", map_for(row))
    return folder


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving() as one:
        yield one


def shown(body: dict) -> np.ndarray:
    """The picture of a request."""
    (url,) = [part["image_url"]["url"] for message in body["messages"]
              if isinstance(message["content"], list)
              for part in message["content"] if part["type"] == "image_url"]  # fmt: skip
    return pixels(base64.b64decode(url.partition(",")[2]))


def painted(body: dict) -> str:
    """An answer that has seen the picture: the first painted part, in percent of what is shown."""
    picture = shown(body)
    height, width = picture.shape[:2]
    if not (picture[..., 1:].max(axis=2) > 200).any() or not (picture[..., 0] < 50).any():
        return "nothing"
    box = [round(100 * v / side) for v, side in
           zip(measured(picture, 0), (width, height) * 2, strict=True)]  # fmt: skip
    return f"<p>1 part</p> {{{''.join(f'<{v}>' for v in box)}}}"


def ask(build: Path, out: Path, server: OpenAiServer, *more: str, config: str = "object") -> int:
    return evaluate.main(["run", str(build), "--model", "openai:m", "--base-url", server.url,
                          "--config", config, "--setting", "no-examples", "--out", str(out),
                          "--concurrency", "2", *more])  # fmt: skip


@pytest.mark.parametrize("method", list(METHODS))
def test_a_model_sees_what_the_mask_leaves(build, maps, server, tmp_path, method):
    assert ask(build, tmp_path, server, "--deploy", method, "--masks", f"predicted:{maps}") == 0
    rows = all_rows(build)
    wanted = {
        deploy(pixels(rows[i]["image"]["bytes"]), map_for(rows[i]), method).picture.tobytes()
        for i, _ in gold(build, "object")
    }
    assert {shown(body).tobytes() for body in server.bodies} == wanted
    (path,) = tmp_path.glob("*.run.json")
    run = json.loads(path.read_text())
    assert run["deploy"] == method and run["masks"] == f"predicted:{maps}"
    assert run["setting"] == f"no-examples+{method}.predicted"


@pytest.mark.parametrize("config", ["scene", "state"])
def test_other_tasks_are_shown_through_masks_too(build, maps, server, tmp_path, config):
    more = ("--deploy", "crop", "--masks", f"predicted:{maps}")
    assert ask(build, tmp_path, server, *more, config=config) == 0
    lines = next(tmp_path.glob("*.jsonl")).read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == {i for i, _ in gold(build, config)}
    sizes = {shown(body).shape for body in server.bodies}
    assert max(max(size) for size in sizes) < 300  # the map is 70 pixels wide, pictures 300 to 1100


@pytest.mark.parametrize("method", ["overlay", "crop", "overlay-crop"])
def test_boxes_said_of_a_crop_are_scored_where_they_lie_in_the_picture(
    build, maps, server, tmp_path, method
):
    """A model that boxes what it sees is as good on a crop as on the whole picture."""
    server.answer = painted
    ids = [item.id for item in load_items(build, "object", "test") if len(item.labels) == 1]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    out = tmp_path / "predictions"
    assert ask(build, out, server, "--deploy", method, "--masks", f"predicted:{maps}") == 0
    found = score(build, tmp_path / "scores", out, "--ids", tmp_path / "ids.txt",
                  "--no-baselines", "--no-report")  # fmt: skip
    (row,) = found["scores"]
    assert row["values"]["iou"] >= 96 and row["values"]["iou_at_50"] == 100
    lines = [json.loads(line) for line in next(out.glob("*.jsonl")).read_text().splitlines()]
    assert all(("crop_xyxy_px" in line) == ("crop" in method) for line in lines)
    assert row["deploy"] == method and row["uses_gold_mask"] is False


def test_maps_that_lack_or_do_not_fit_are_told_before_anybody_is_asked(
    build, maps, server, tmp_path, capsys
):
    folder = tmp_path / "maps"
    folder.mkdir()
    for path in maps.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    first, second = [i for i, _ in gold(build, "object")][:2]
    (folder / f"{first}.npy").unlink()
    Image.new("RGB", (30, 20)).save(folder / f"{second}.png")
    (folder / f"{second}.npy").unlink()
    assert ask(build, tmp_path / "p", server, "--deploy", "blur", "--masks",
               f"predicted:{folder}") == 1  # fmt: skip
    said = capsys.readouterr().err
    assert re.search(rf"error: .*2 of \d+ items have no mask that fits; the first is {first}: no "
                     "map", said)  # fmt: skip
    assert not server.bodies and not (tmp_path / "p").exists()


def test_a_run_with_other_maps_is_another_run(build, maps, server, tmp_path, capsys):
    more = ("--deploy", "overlay", "--masks")
    assert ask(build, tmp_path / "p", server, *more, f"predicted:{maps}", config="scene") == 0
    asked = len(server.bodies)
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in maps.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    assert ask(build, tmp_path / "p", server, *more, f"predicted:{moved}", config="scene") == 0
    assert len(server.bodies) == asked
    path = moved / f"{gold(build, 'scene')[0][0]}.npy"
    np.save(path, 1 - np.load(path))
    capsys.readouterr()
    assert ask(build, tmp_path / "p", server, *more, f"predicted:{moved}", config="scene") == 1
    assert "answers of another run (options differ)" in capsys.readouterr().err


def test_baselines_box_the_whole_picture_whatever_is_shown(build, maps, tmp_path):
    out = tmp_path / "p"
    for more in ((), ("--deploy", "crop", "--masks", f"predicted:{maps}")):
        assert evaluate.main(["run", str(build), "--model", "baseline:no-image", "--config",
                              "object", "--out", str(out), *more]) == 0  # fmt: skip
    texts = [[json.loads(line) for line in p.read_text().splitlines()] for p in out.glob("*.jsonl")]
    assert len(texts) == 2 and not any("crop_xyxy_px" in line for several in texts
                                       for line in several)  # fmt: skip


def test_masking_gives_one_table_none_first_with_paired_intervals(
    build, maps, server, tmp_path, capsys
):
    server.answer = painted
    arguments = ["masking", str(build), "--model", "openai:m", "--base-url", server.url,
                 "--config", "object", "--setting", "no-examples", "--out", str(tmp_path / "p"),
                 "--scores", str(tmp_path / "s"), "--masks", f"predicted:{maps}", "--methods",
                 "overlay-crop", "grayscale", "--resamples", "200"]  # fmt: skip
    assert evaluate.main(arguments) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "s" / "masking.json").read_text())["object"]["lines"]
    assert [line["method"] for line in found] == ["none", "grayscale", "overlay-crop"]
    plain = found[0]["metrics"]["iou"]
    assert plain["difference"] is None and plain["interval"] is None
    for line in found[1:]:
        told = line["metrics"]["iou"]
        assert told["difference"] == pytest.approx(told["value"] - plain["value"], abs=1e-3)
        low, high = told["interval"]
        assert low <= told["difference"] + 1e-6 and told["difference"] - 1e-6 <= high
        assert line["items"] == found[0]["items"] == len(gold(build, "object"))
    # It boxes whole pictures well: cut ones can't be much better, nor worse by more than rounding.
    assert abs(found[2]["metrics"]["iou"]["difference"]) < 3
    assert re.search(r"(?m)^none .*\n-+\ngrayscale .*[+-]\d+\.\d\d \[", said)
    assert "object.csv" in {path.name for path in (tmp_path / "s").iterdir()}
    asked = len(server.bodies)
    assert evaluate.main(arguments) == 0 and len(server.bodies) == asked  # nothing twice


def test_tasks_without_masks_are_left_out_of_all_and_told_alone(build, maps, tmp_path, capsys):
    some = tmp_path / "maps"
    some.mkdir()
    for row_id, _ in gold(build, "scene"):
        (some / f"{row_id}.npy").write_bytes((maps / f"{row_id}.npy").read_bytes())
    arguments = ["masking", str(build), "--model", "baseline:no-image", "--out",
                 str(tmp_path / "p"), "--scores", str(tmp_path / "s"), "--methods", "blur",
                 "--masks", f"predicted:{some}", "--config"]  # fmt: skip
    assert evaluate.main([*arguments, "all"]) == 0
    said = capsys.readouterr().out
    assert "left out: --masks" in said and "not one of" in said
    assert set(json.loads((tmp_path / "s" / "masking.json").read_text())) == {"scene"}
    assert evaluate.main([*arguments, "object"]) == 1
    assert "not one of" in capsys.readouterr().err


def test_scores_leave_runs_with_gold_masks_out_of_every_table(build, tmp_path, capsys):
    """A run whose masks are the build's own is in scores.json, marked, and in no standing."""
    out = tmp_path / "p"
    answers = gold(build, "object")
    write(out / "honest.object.full.jsonl", [(i, "nothing") for i, _ in answers])
    write(out / "seer.object.full.jsonl", answers[: len(answers) // 2])
    for name, masks in (("honest", None), ("seer", "gold")):
        run = {"model": name, "name": name, "config": "object", "setting": "full", "masks": masks,
               "deploy": masks and "overlay"}  # fmt: skip
        (out / f"{name}.object.full.run.json").write_text(json.dumps(run))
    found = score(build, tmp_path / "s", out)
    marked = {row["name"]: row["uses_gold_mask"] for row in found["scores"]}
    assert marked["honest"] is False and marked["seer"] is True
    for path in (tmp_path / "s").glob("*"):
        if path.name not in ("scores.json", "report.html"):
            text = path.read_text()
            assert "seer" not in text.split("## Mind")[0], path
    assert not any("seer" in (d["a"], d["b"]) for d in found["differences"])
    assert "seer" in " ".join(found["warnings"])
    both = score(build, tmp_path / "c", out, "--common")
    assert both["items"]["object"] == len(answers)  # half a run takes nothing from the others
    assert "seer" not in capsys.readouterr().out.split("mind:")[0]


def test_gold_masks_are_asked_about_marked_and_leave_no_table(tmp_path, capsys):
    """From the command to the scores: the build's own masks, of the items that have one."""
    build = painted_build(
        tmp_path / "b" / "lego-arta", manuals=4, test_manuals=3, steps=2, masks=True
    )
    out = tmp_path / "p"
    command = ["run", str(build), "--model", "baseline:copy-query", "--config", "object",
               "--out", str(out), "--deploy", "overlay-crop"]  # fmt: skip
    assert evaluate.main(command) == 0
    assert "mind: gold masks may give answers away" in capsys.readouterr().out
    (path,) = out.glob("*.jsonl")
    record = json.loads(path.with_suffix(".run.json").read_text())
    assert record["masks"] == "gold" and record["options"]["maps"]
    masked = set(gold_masks(build, "object", "test"))
    assert {json.loads(line)["id"] for line in path.read_text().splitlines()} == masked
    assert 0 < len(masked) <= len(load_items(build, "object", "test"))
    found = score(build, tmp_path / "s", out)
    (mine,) = (row for row in found["scores"] if not row["baseline"])
    assert mine["uses_gold_mask"] is True
    (table,) = (tmp_path / "s").glob("*.csv")
    names = [line.split(",")[0] for line in table.read_text().splitlines()]
    assert names.count("copy-query") == 1  # the baseline of that name, not the run
    # Other masks, another run: answers are not mixed.
    manifest = json.loads((build / "build.json").read_text())
    name = next(name for name in manifest["files"] if name.startswith("data/mask/test"))
    manifest["files"][name]["sha256"] = "0" * 64
    (build / "build.json").write_text(json.dumps(manifest))
    assert evaluate.main(command) == 1
    assert "holds answers of another run" in capsys.readouterr().err


def test_the_table_of_gold_masks_says_so_and_its_answers_lie_apart(tmp_path, capsys):
    build = painted_build(
        tmp_path / "b" / "lego-arta", manuals=4, test_manuals=3, steps=2, masks=True
    )
    command = ["masking", str(build), "--model", "baseline:copy-query", "--config", "object",
               "--methods", "overlay", "--out", str(tmp_path / "p"),
               "--scores", str(tmp_path / "s")]  # fmt: skip
    assert evaluate.main(command) == 0
    assert "perfect masks" in capsys.readouterr().out
    lines = json.loads((tmp_path / "s/masking.json").read_text())["object"]["lines"]
    assert [line["uses_gold_mask"] for line in lines] == [False, True]
    assert list((tmp_path / "p").glob("*.jsonl")) == []
    assert len(list((tmp_path / "p" / "masking").glob("*.jsonl"))) == 2
