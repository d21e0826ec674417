"""Two builds: what is told to have changed is what was changed, and why."""

import json

import pytest
from command import tiny_build, tiny_site
from makers import THEMES, saved_site, tiny_manual

from builder.command import main as build
from builder.release.diff import changes, main


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A build of two manuals; its stages are in w beside it."""
    return tiny_build(tmp_path_factory.mktemp("diff"), "--no-probe")


def again(first, name: str, *options: object):
    out = first.with_name(name) / "lego-arta"
    words = ["--work", first.with_name("w"), "--out", out, "--workers", 1, "--no-probe", *options]
    if "--source" not in options:
        words += ["--source", first.with_name("site")]
    assert build([str(word) for word in words]) == 0
    return out


def test_a_build_and_itself_are_the_same(first, capsys):
    assert main([str(first), str(first)]) == 0
    assert capsys.readouterr().out == "the same rows\n"


def test_other_words_and_files_change_every_row_in_these_and_nothing_else(first, tmp_path, capsys):
    other = again(first, "readable", "--templates", "readable", "--image-format", "png")
    told = tmp_path / "changes.json"
    capsys.readouterr()
    assert main([str(first), str(other), "--json", str(told)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["option image_format webp -> png", "option templates paper -> readable"]
    found = json.loads(told.read_text())["changes"]
    spatial = [change for change in found if change["config"] == "spatial"]
    found = [change for change in found if change["config"] != "spatial"]
    # Of spatial rows the template may have another name as well.
    assert {tuple(change["what"]) for change in spatial} == {("text", "picture")}
    assert spatial and all({"query", "picture"} <= {*c["columns"]} <= {"query", "template_id",
                           "picture"} for c in spatial)  # fmt: skip
    assert {tuple(change["what"]) for change in found} == {("text", "picture")}
    assert {tuple(change["columns"]) for change in found} == {("query", "picture")}
    assert all(change["why"] == said[1::-1] for change in found)
    assert all(change["id"] == change["new_id"] for change in found)
    assert len({c["config"] for c in found}) == 4  # scene, object, state, mask
    assert f"scene: text changed, {sum(c['config'] == 'scene' for c in found)} rows" in said


def test_boxes_by_another_annotator_say_so(first):
    file = first.with_name("answers.jsonl")
    rows = [{"sha256": name, "answer": "<p>it</p> {<20><30><60><70>}"} for name in _eops(first)]
    file.write_text("\n".join(map(json.dumps, rows)))
    other = again(first, "answers", "--annotator", f"file:{file}")
    found = [c for c in changes(first, other) if c.config == "object"]
    assert len(found) == 48 and all({"text", "boxes"} <= set(c.what) for c in found)
    assert {c.why[0] for c in found} == {"option annotator exact -> file:" + str(file)}
    assert all("annotator foreground -> file:answers.jsonl" in c.why for c in found)


def _eops(first) -> list[str]:
    (file, *_) = sorted(first.with_name("w").glob("2_parse/*/manual.json"))
    rows = json.loads(file.read_bytes())["instructions"]
    return [row["img_sha256"] for row in rows if row["VLM"]["task_label"] == "object"]


def test_a_manual_that_is_gone_and_a_page_that_changed(first, tmp_path):
    """One manual is away, the other calls its second part by another name."""
    site = tmp_path / "site"
    themes = [THEMES[0], "brick 2x8", *THEMES[2:]]
    tiny_site(site, 1)
    saved_site(site, tiny_manual(themes=themes).rows, "lego-60001-a-readscr")
    other = tmp_path / "new" / "lego-arta"
    assert build(["--source", str(site), "--work", str(tmp_path / "w"), "--out", str(other),
                  "--workers", "1", "--no-probe"]) == 0  # fmt: skip
    found = list(changes(first, other))
    gone = [c for c in found if c.what == ("removed",)]
    assert gone and {c.why for c in gone} == {("manual gone: lego-60002-b-readscr",)}
    scene = [c for c in found if c.config == "scene" and "text" in c.what]
    assert len(scene) == 1  # the step that puts the part on, and names what was found before
    assert scene[0].why == ("page changed: lego-60001-a-readscr",)
    assert {"query", "answer"} <= set(scene[0].columns)


def test_what_is_no_build_is_told_in_a_line(first, tmp_path, capsys):
    assert main([str(first), str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: not a build")
