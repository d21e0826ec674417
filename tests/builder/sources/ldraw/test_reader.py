"""Models as text: what is read, in which encodings, and what is told of what can't be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_ldraw import HEAD, SQUARE, put, tower

from builder.sources.ldraw.reader import is_outside, plain_name, read_model


def references(text: str | bytes) -> list[list[str]]:
    data = text if isinstance(text, bytes) else text.encode()
    (file, *_) = read_model(data, "m.ldr").values()
    return [[r.name for r in step] for step in file.steps]


def test_steps_and_headers():
    files = read_model(tower().encode(), "a tower.ldr")
    (file,) = files.values()
    assert (file.title, file.author) == ("Tower", "Ann [ann]")
    assert file.licence.startswith("Licensed under CC BY 4.0") and not file.is_part
    assert [len(step) for step in file.steps] == [1, 1, 2, 2, 1] and file.step_lines == 5


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_line_ends_and_encodings(end, encoding):
    text = end.join(["0 Café", put("Été 1", 0, 0, 0), "0 STEP", put("3001", 0, 0, 0)])
    (file,) = read_model(text.encode(encoding), "m.ldr").values()
    assert file.title == "Café"
    assert [[r.name for r in step] for step in file.steps] == [["été 1.dat"], ["3001.dat"]]


def test_sub_files_names_with_spaces_and_what_lies_between_them():
    text = f"""0 FILE Main  One.ldr
0 Main
1 16 0 0 0 {SQUARE} The "Sub" one's.LDR
0 NOFILE
1 16 0 0 0 {SQUARE} nowhere.dat
0 FILE the "sub" ONE's.ldr
0 Sub
1 4 0 0 0 {SQUARE} s\\3001s01.dat
0 FILE main one.ldr
0 Another of that name
"""
    files = read_model(text.encode(), "m.mpd")
    assert list(files) == ["main one.ldr", 'the "sub" one\'s.ldr']
    assert [r.name for r in files["main one.ldr"].references] == ['the "sub" one\'s.ldr']
    assert [r.name for f in files.values() for r in f.references][-1] == "s/3001s01.dat"


def test_buffers_ghosts_and_rotated_steps():
    text = "\n".join([
        "0 M", put("a", 0, 0, 0), "0 BUFEXCH A STORE", put("arrow", 0, 0, 0), "0 STEP",
        "0 BUFEXCH A RETRIEVE", "0 GHOST " + put("ghost", 0, 0, 0), put("b", 0, 0, 0),
        "0 ROTSTEP 0 90 0 ABS", put("c", 0, 0, 0), "0 ROTSTEP END",
        "0 MLCAD HIDE " + put("d", 0, 0, 0),
    ])  # fmt: skip
    assert references(text) == [["a.dat"], ["b.dat"], ["c.dat"]]


def test_nonsense_is_counted_and_paths_that_lead_out_are_refused():
    text = "\n".join([
        "0 M", "7 what is this", "1 4 0 0 0 1 0 0", "1 4 0 0 x 1 0 0 0 1 0 0 0 1 a.dat",
        "1 4 nan 0 0 1 0 0 0 1 0 0 0 1 a.dat", "1 red 0 0 0 1 0 0 0 1 0 0 0 1 a.dat", "\0\0",
        put("../../etc/passwd", 0, 0, 0), put("C:\\LDraw\\x", 0, 0, 0), put("/abs", 0, 0, 0),
        put("ok", 0, 0, 0),
    ])  # fmt: skip
    (file,) = read_model(text.encode(), "m.ldr").values()
    assert file.nonsense == (2, 3, 4, 5, 6, 7)
    assert file.refused == ("../../etc/passwd.dat", "C:\\LDraw\\x.dat", "/abs.dat")
    assert [r.name for r in file.references] == ["ok.dat"]


def test_parts_in_a_model_are_told_from_sub_models():
    text = f"""0 FILE main.ldr
0 M
{HEAD}
1 16 0 0 0 {SQUARE} own.dat
0 FILE own.dat
0 Own part
0 FILE hose.ldr
0 Hose
0 !LDCAD GENERATED [generator=x]
1 16 0 0 0 {SQUARE} ls.dat
0 FILE drawn.ldr
0 Faces
3 4 0 0 0 1 0 0 0 0 1
"""
    files = read_model(text.encode(), "m.mpd")
    assert [file.is_part for file in files.values()] == [False, True, True, True]


@given(st.binary(max_size=400))
def test_any_bytes_are_read(data):
    for file in read_model(data, "m.ldr").values():
        assert all(not is_outside(r.name) for r in file.references)


coordinates = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}"))


@given(st.integers(0, 511), st.lists(coordinates, min_size=12, max_size=12),
       st.text("abcXYZ 0123456789-'é", min_size=1).filter(lambda name: name.strip()))  # fmt: skip
def test_a_reference_is_read_as_it_was_written(colour, numbers, name):
    line = f"1 {colour} {' '.join(f'{n:.6g}' for n in numbers)} {name}"
    (file,) = read_model(f"0 M\n{line}\n".encode(), "m.ldr").values()
    (reference,) = file.references
    assert (reference.colour, list(reference.matrix)) == (colour, numbers)
    assert reference.name == plain_name(name)


def test_colour_numbers_in_all_forms():
    lines = [put("a", 0, 0, 0).replace("1 4", f"1 {c}", 1) for c in ("0x2FF8000", "#2ff8000", "36")]
    (file,) = read_model("\n".join(["0 M", *lines]).encode(), "m.ldr").values()
    assert [r.colour for r in file.references] == [0x2FF8000, 0x2FF8000, 36]
