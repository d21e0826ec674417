"""Colours set by hand: the page to choose them, the file it saves; and the sheet to look at."""

import html.parser
import io
import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from makers import crawl_folder, tiny_manual
from PIL import Image, ImageFont

from builder import build
from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions, build_manual
from core.cli import command
from core.errors import UserError, describe
from core.records import Manual, dump, load
from core.store import COLORS_FILE, ROWS
from review import sheet as sheet_of
from review import sheet_command, swatches_command
from tasks.context import TaskOptions

PLAIN, OUTLINED = "lego-60001-plain-readscr", "lego-60002-outlined-readscr"


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Two built manuals, one with outlines and one without."""
    folder = tmp_path_factory.mktemp("work")
    crawl_folder(folder, tiny_manual().rows[:8], OUTLINED)
    crawl_folder(folder, tiny_manual(outline=None).rows[:6], PLAIN)
    for manual_id in (PLAIN, OUTLINED):
        build_manual(manual_id, BuildOptions(folder))
    return folder


class _Page(html.parser.HTMLParser):
    """What a browser would see: sections with their attributes and their buttons' colours."""

    def __init__(self, text: str):
        super().__init__()
        self.sections: list[tuple[str, str, list[str]]] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        if tag == "section":
            self.sections.append((found["data-session"], found["data-color"], []))
        elif tag == "button" and "data-color" in found:
            self.sections[-1][2].append(found["data-color"])
        elif tag == "img":
            self.sources.append(found["src"])


def _page(work: Path, out: Path) -> _Page:
    assert swatches_command.main(["--work", str(work), "--out", str(out)]) == 0
    return _Page(out.read_text(encoding="utf-8"))


def test_sessions_without_a_colour_come_first_and_all_pictures_are_in_the_page(
    work, tmp_path, capsys
):
    page = _page(work, tmp_path / "page.html")
    assert [name for name, _, _ in page.sections] == [f"{PLAIN}/Car", f"{OUTLINED}/Car"]
    assert [color for _, color, _ in page.sections] == ["", "#FF00FF"]
    assert "2 sessions, 1 without a colour" in capsys.readouterr().out
    assert len(page.sources) == 3 + 4
    assert all(source.startswith("data:image/webp;base64,") for source in page.sources)
    for _, color, choices in page.sections:
        assert choices[-1] == ""  # none
        assert color in choices
        assert len(choices) == len(set(choices))


def test_what_the_page_saves_is_taken_by_the_builder(work, tmp_path):
    """Every choice of every session, as the page's script writes it: a name and #RRGGBB or null."""
    page = _page(work, tmp_path / "page.html")
    file = tmp_path / "boundary-colors.json"
    for number in range(max(len(choices) for _, _, choices in page.sections)):
        saved = {
            name: choices[number % len(choices)].upper() or None
            for name, _, choices in page.sections
        }
        file.write_text(json.dumps(saved, indent=2) + "\n")
        taken = build.colors_by_hand(file)
        assert dict(taken) == saved
        task = BuildOptions(work, tasks=TaskOptions(boundary_colors=taken))
        build.check_sessions(task, [PLAIN, OUTLINED])


def test_names_of_sessions_can_not_break_the_page(work, tmp_path):
    """They come from file names of a site."""
    folder = tmp_path / "work"
    shutil.copytree(work, folder)
    sign = '"><script>alert(1)</script>&'
    tasks = folder / ROWS / OUTLINED
    manual = load(tasks / "manual.json", Manual)
    rows = [
        msgspec.structs.replace(i, VLM=msgspec.structs.replace(i.VLM, id_sign=sign))
        for i in manual.instructions
    ]
    (tasks / "manual.json").write_bytes(dump(msgspec.structs.replace(manual, instructions=rows)))
    colors = json.loads((tasks / COLORS_FILE).read_bytes())
    colors = {f"{OUTLINED}/{sign}": value for value in colors.values()}
    (tasks / COLORS_FILE).write_text(json.dumps(colors))
    page = _page(folder, tmp_path / "page.html")
    assert f"{OUTLINED}/{sign}" in {name for name, _, _ in page.sections}
    assert page.tags.count("script") == 1
    assert "<script>alert" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_colour_set_by_hand_is_said_to_be(work, tmp_path):
    folder = tmp_path / "work"
    shutil.copytree(work, folder)
    tasks = TaskOptions(boundary_colors=((f"{OUTLINED}/Car", None),))
    build_manual(OUTLINED, BuildOptions(folder, tasks=tasks))
    page = _page(folder, tmp_path / "page.html")
    assert {name: color for name, color, _ in page.sections}[f"{OUTLINED}/Car"] == ""


def test_a_work_folder_without_sessions_is_one_line(tmp_path, capsys):
    assert (
        swatches_command.main(["--work", str(tmp_path), "--out", str(tmp_path / "page.html")]) == 1
    )
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("error:") and command("build") in said[0]
    assert not (tmp_path / "page.html").exists()


# --boundary-colors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "not a JSON file"),  # no such file
        ("", "not a JSON file"),
        ("{'a': 1}", "not a JSON file"),
        ("\ufeff\x00", "not a JSON file"),
        ("[]", "give an object"),
        ('"#FF00FF"', "give an object"),
        ("null", "give an object"),
        ('{"a/b": "FF00FF"}', "#RRGGBB"),
        ('{"a/b": "#F0F"}', "#RRGGBB"),
        ('{"a/b": "#FF00FG"}', "#RRGGBB"),
        ('{"a/b": "#FF00FF\\n"}', "#RRGGBB"),
        ('{"a/b": ""}', "#RRGGBB"),
        ('{"a/b": 16711935}', "#RRGGBB"),
        ('{"a/b": {"color": "#FF00FF"}}', "#RRGGBB"),
    ],
)
def test_a_bad_file_is_one_line_with_the_cure(text, words, tmp_path):
    file = tmp_path / "colors.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match="--boundary-colors") as caught:
        build.colors_by_hand(file)
    said = describe(caught.value)
    assert words in said and "\n" not in said and "colors.json" in said


def test_colours_are_in_a_fixed_order_and_no_file_is_no_colour(tmp_path):
    assert build.colors_by_hand(None) == ()
    (tmp_path / "a.json").write_text('{"b/x": null, "a/y": "#ff00ff"}')
    assert build.colors_by_hand(tmp_path / "a.json") == (("a/y", "#ff00ff"), ("b/x", None))


def test_an_unknown_session_of_a_built_manual_is_a_slip(work):
    def check(session: str) -> None:
        tasks = TaskOptions(boundary_colors=((session, None),))
        build.check_sessions(BuildOptions(work, tasks=tasks), [PLAIN, OUTLINED])

    check(f"{OUTLINED}/Car")
    check("lego-9-not-built-readscr/Car")  # of another manual: it may be built another time
    with pytest.raises(UserError, match="Cra is no session") as caught:
        check(f"{OUTLINED}/Cra")
    assert f"{OUTLINED}/Car" in str(caught.value) and "\n" not in str(caught.value)


# The contact sheet --------------------------------------------------------------------------


@pytest.mark.parametrize("boxes", [False, True])
def test_a_contact_sheet_has_a_row_a_group(work, tmp_path, boxes, capsys):
    out = tmp_path / "lego-arta"
    assemble([OUTLINED, PLAIN], BuildOptions(work), AssembleOptions(out, "demo", probe=False))
    arguments = [str(out), "--groups", "2", "--out", str(tmp_path / "sheet.png")]
    assert sheet_command.main([*arguments, *(["--boxes"] if boxes else [])]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        # Four pictures of 480 x 360 wide, text above and below.
        cell = round(360 * (sheet_of.WIDTH_PX - 4) / 480)
        assert sheet.width == 4 * sheet_of.WIDTH_PX and sheet.height > 2 * cell
        assert sheet.format == "PNG"
        assert np.asarray(sheet.convert("L")).std() > 10
    assert "sheet.png" in capsys.readouterr().out
    found = sheet_of.groups(out, 50)
    assert len(found) == 3
    assert all([row["label"] for row in group] == [1, 0, 0, 0] for group in found)


def test_a_contact_sheet_says_what_was_to_be_done_and_cuts_no_text():
    """However long: above a group the instruction and what was found, below it the correction."""
    words = " ".join(f"word{number}" for number in range(200))
    row = {"instruction": words, "previous_instruction": None, "manual_id": "m",
           "negative_kind": "shift", "correction": f"{words} {'x' * 300}"}  # fmt: skip
    font = ImageFont.load_default()
    for width in (320, 1280):
        lines = [line for line, _ in sheet_of.heading(row, width)]
        assert lines[0] == "before: nothing" and " ".join(lines[1:]) == words
        assert max(map(font.getlength, lines)) <= width
    found = [line for line, _ in sheet_of.heading({**row, "previous_instruction": words}, 320)]
    assert " ".join(found) == f"before: {words} {words}"
    picture = io.BytesIO()
    Image.new("RGB", (480, 360), "red").save(picture, "WEBP")
    row |= {"image": {"bytes": picture.getvalue()}, "label": 0}
    tall, short = (sheet_of.draw([[{**row, "correction": c}]], False) for c in (words, "a"))
    lines = sheet_of.heading(row, sheet_of.WIDTH_PX)[1:]  # as wide as a picture's
    assert tall.height - short.height == (len(lines) - 1) * sheet_of.LINE_PX


def test_a_contact_sheet_of_what_is_no_build_is_one_line(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert sheet_command.main([str(tmp_path), "--out", str(out)]) == 1
    assert capsys.readouterr().err.startswith("error:")
    assert not out.exists()
