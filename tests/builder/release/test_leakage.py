"""What test shares with train is counted row by row; parts that train never names make subsets."""

import hashlib
import io
import json

import pytest
from export_build import all_rows, export_build
from PIL import Image
from scored import gold, score, write

from builder.release.leakage import KEYS, NEAR, leakage, main

SIZES = {"manuals": 3, "steps": 4, "test_manuals": 1}


def picture(data: bytes) -> dict:
    return {"bytes": data, "path": f"{hashlib.sha256(data).hexdigest()[:32]}.webp"}


def resaved(data: bytes) -> bytes:
    """The same to the eye: larger, and through JPEG."""
    jpeg, webp = io.BytesIO(), io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").resize((120, 90)).save(jpeg, "JPEG", quality=85)
    Image.open(jpeg).save(webp, "WEBP", lossless=True)
    return webp.getvalue()


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return export_build(tmp_path_factory.mktemp("clean") / "b", **SIZES)


def test_a_set_apart_shares_no_manual_group_or_picture(clean):
    for config, found in leakage(clean).items():
        assert found.test_rows == {"scene": 4, "object": 16, "state": 16}[config]
        for what in ("manual", "set", "group", "picture", "source picture", NEAR):
            assert found.shared[what] == 0, (config, what)


def test_every_leak_is_counted(clean, tmp_path):
    """Of the scenes: one of a manual of train, one with a picture of train, one with a picture
    that looks the same, one made from a picture of train, one with its words."""
    rows = list(all_rows(clean).values())
    train = [row for row in rows if (row["config"], row["split"]) == ("scene", "train")]
    test = [row["id"] for row in rows if (row["config"], row["split"]) == ("scene", "test")]
    first, second = train[0], train[1]

    def leaking(config, row):
        if row["id"] == test[0]:
            row = {**row, "manual_id": first["manual_id"], "query": first["query"]}
        if row["id"] == test[1]:
            row = {**row, "image": picture(first["image"]["bytes"])}
        if row["id"] == test[2]:
            row = {**row, "image": picture(resaved(second["image"]["bytes"]))}
        if row["id"] == test[3]:
            row = {**row, "provenance": second["provenance"], "instruction": second["instruction"]}
        return row

    build = export_build(tmp_path / "b", leaking, **SIZES)
    before, after = leakage(clean)["scene"].shared, leakage(build)["scene"].shared
    more = {what: after[what] - before[what] for what in after}
    assert more == {**dict.fromkeys(KEYS, 1), "group": 0, NEAR: 1}


def test_unseen_parts_and_themes_are_subsets_to_score(clean, tmp_path, capsys):
    """A colour that train has of other parts makes a new part, no new theme."""
    rows = list(all_rows(clean).values())
    state = [r for r in rows if (r["config"], r["split"]) == ("object", "test")]
    new_part, new_theme = state[0]["id"], state[4]["id"]
    tags = {new_part: ("pink", "plate 1x2"), new_theme: ("red", "dragon wing")}

    def named(config, row):
        color, theme = tags.get(row["id"], ("red", "plate 1x2"))
        words = [{"tag": "colorinfo", "text": color}, {"tag": "theme", "text": theme}]
        return {**row, "entities": words if config == "object" else row["entities"]}

    build = export_build(tmp_path / "b", named, **SIZES)
    found = leakage(build, pictures=False)["object"].subsets
    assert found == {"unseen_parts": [new_part, new_theme], "unseen_themes": [new_theme]}
    assert main([str(build), "--out", str(tmp_path / "sub"), "--no-pictures"]) == 0
    assert "unseen_themes                  1    6.2%" in capsys.readouterr().out
    write(tmp_path / "p/right.object.jsonl", gold(build, "object"))
    subset = tmp_path / "sub" / "unseen_parts.json"
    scores = score(build, tmp_path / "s", tmp_path / "p", "--ids", subset, "--no-report")
    assert scores["items"] == {"object": 2}
    other = json.loads(subset.read_text()) | {"build": {"name": "x", "fingerprint": "0" * 64}}
    subset.write_text(json.dumps(other))
    with pytest.raises(AssertionError):
        score(build, tmp_path / "s", tmp_path / "p", "--ids", subset, "--no-report")
    assert "its rows are of another build (x" in capsys.readouterr().err
