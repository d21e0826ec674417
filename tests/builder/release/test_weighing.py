"""Quality and weights of rows, set when shards are written."""

import functools
import pickle

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.release import mask_quality
from builder.release.reviews import Decided, Reviews
from builder.release.survey import Manuals
from builder.release.weighing import Weighing, set_by_hand, values_of, weigh, working_out
from core.parquet import RowIndex
from core.records import ManualStats, dump
from core.shards import Part, Piece, _rows_of
from core.store import ROWS
from tasks import TASKS
from tasks.mask.features import NAMES
from tasks.mask.notes import FILE, MaskNote, MaskNotes, MaskSample
from tasks.mask.quality import Bin, formula


def _features(level, annotator=0):
    """Measures that the formula gives `level`."""
    measured = dict.fromkeys(NAMES, 0.0) | dict.fromkeys(
        ("agreement", "edges", "foreground", "color", "compact"), level
    )
    return list(measured.values())


def _work(tmp_path, manuals):
    """A work folder with the rows' notes of manuals: (notes, samples, state rows) by id."""
    for manual_id, (rows, samples) in manuals.items():
        folder = tmp_path / ROWS / manual_id
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(msgspec.json.encode(MaskNotes(rows, samples)))
        index = {config: [] for config in TASKS}
        index["mask"] = [RowIndex(one.id, one.id, one.session_id, 9, one.step_num) for one in rows]
        index["state"] = [RowIndex("s1", "g", f"{manual_id}/a", 9, 1)]
        index["scene"] = [RowIndex("c1", "c", f"{manual_id}/a", 9, 7)]
        (folder / "index.json").write_bytes(msgspec.json.encode(index))
        stats = ManualStats(manual_id, "1", 1, 1, 1, 0, [])
        (folder / "stats.json").write_bytes(dump(stats))
    return tmp_path


def _note(name, level=None, origin="state", step=1, manual="m1"):
    features = None if level is None else _features(level)
    return MaskNote(name, origin, f"{manual}/a", step, level is None, features)


MIXED = [_note("drawn"), _note("good", 0.9), _note("bad", 0.1), _note("find", 0.5, "object")]


def test_without_anything_known_the_formula_counts(tmp_path):
    work = _work(tmp_path, {"m1": (MIXED, [])})
    found = weigh(Manuals(work, ["m1"], Decided(frozenset(), {})), 1, False)
    assert found.model is None
    assert found.as_json["by"] == "formula"
    assert found.masks == 4
    assert found.mean == pytest.approx((1 + 0.9 + 0.1 + 0.5) / 4)
    values = values_of(work / ROWS / "m1", "mask", found, {})
    assert values["quality"] == pytest.approx({"drawn": 1, "good": 0.9, "bad": 0.1, "find": 0.5})
    assert values["sample_weight"] == pytest.approx(
        {"drawn": 1.6, "good": 1.44, "bad": 0.16, "find": 0.8}
    )
    assert values["source"] == {}


def test_what_the_source_drew_never_weighs_less_than_one(tmp_path):
    work = _work(tmp_path, {"m1": ([_note("drawn"), _note("worst", 0.0)], [])})
    values = values_of(work / ROWS / "m1", "mask", Weighing(None, 2.0, 2), {})
    assert values["sample_weight"] == {"drawn": 1.0, "worst": 0.1}


def test_a_mask_that_people_accepted_is_theirs(tmp_path):
    work = _work(tmp_path, {"m1": (MIXED, [])})
    points = {"bad": 1.0, "good": 0.5, "drawn": 0.5}
    found = weigh(Manuals(work, ["m1"], Reviews(weights=tuple(points.items())).decided()), 1, False)
    values = values_of(work / ROWS / "m1", "mask", found, points)
    assert values["source"] == {"bad": 1}
    assert values["quality"]["bad"] == 1.0
    assert values["quality"]["good"] == pytest.approx(0.9)
    assert values["sample_weight"]["bad"] >= 1
    # What they did not accept weighs what they said.
    verdicts = dict.fromkeys(points, "accepted")
    assert set_by_hand("mask", points, verdicts) == {
        "sample_weight": {"good": 0.5, "drawn": 0.5}, "verdict": verdicts,
    }  # fmt: skip
    assert set_by_hand("state", {"s1": 0.9}, {"s1": "disputed"}) == {
        "sample_weight": {"s1": 0.9}, "verdict": {"s1": "disputed"},
    }  # fmt: skip


def _samples(number):
    rng = np.random.default_rng(1)
    return [
        MaskSample(k % 2 == 0, _features(float(rng.uniform(*((0.6, 1), (0, 0.4))[k % 2]))), 0.5)
        for k in range(number)
    ]


def test_samples_of_manuals_make_a_discriminator_whatever_the_order(tmp_path):
    work = _work(tmp_path, {f"m{k}": (MIXED if k == 1 else [], _samples(24)) for k in (1, 2, 3)})
    nobody = Decided(frozenset(), {})
    found = weigh(Manuals(work, ["m1", "m2", "m3"], nobody), 1, False)
    assert found.as_json["by"] == "discriminator"
    assert found == weigh(Manuals(work, ["m3", "m2", "m1"], nobody), 1, False)
    quality = values_of(work / ROWS / "m1", "mask", found, {})["quality"]
    assert quality["drawn"] == 1 >= quality["good"] > 0.8 > 0.2 > quality["bad"]
    text = mask_quality.card_text(tmp_path, found)
    assert "36 good and 36 bad masks of 3 manuals" in text
    assert (tmp_path / mask_quality.PLOT).stat().st_size > 500


def test_reviewed_masks_are_learnt_from_where_nobody_drew_any(tmp_path):
    manuals = {
        f"m{k}": ([_note(f"{k} {n}", 0.9 if n < 9 else 0.2, manual=f"m{k}") for n in range(20)], [])
        for k in (1, 2)
    }
    work = _work(tmp_path, manuals)
    points = {f"{k} {n}": 1.0 for k in (1, 2) for n in range(8)}
    found = weigh(
        Manuals(work, ["m1", "m2"], Reviews(weights=tuple(points.items())).decided()), 1, False
    )
    assert (found.model.good, found.model.bad) == (16, 24)
    quality = values_of(work / ROWS / "m1", "mask", found, {})["quality"]
    assert quality["1 8"] > 0.7 > 0.3 > quality["1 19"]


def test_other_configs_weigh_what_masks_of_their_step_do_when_asked(tmp_path):
    work = _work(tmp_path, {"m1": (MIXED, [])})
    rows = work / ROWS / "m1"
    plain, asked = Weighing(None, 0.5, 4), Weighing(None, 0.5, 4, others=True)
    assert working_out(rows, "state", plain, {}) is None
    weights = values_of(rows, "mask", asked, {})["sample_weight"]
    mean = np.mean([weights[name] for name in ("drawn", "good", "bad")])
    assert working_out(rows, "state", asked, {})() == {
        "sample_weight": {"s1": pytest.approx(mean, abs=1e-4)}
    }
    assert values_of(rows, "scene", asked, {}) == {"sample_weight": {}}  # no mask of that step
    assert values_of(rows, "state_balanced", asked, {}) == {"sample_weight": {}}  # it has no rows


def test_rows_made_elsewhere_have_no_notes(tmp_path):
    assert values_of(tmp_path, "mask", Weighing(None, 1.0, 0), {})["quality"] == {}


def _worked_out():
    return {"sample_weight": {"a": 0.25, "b": 0.5}, "quality": {"b": 0.75}}


def test_values_of_a_piece_are_set_by_id_and_those_by_hand_count_before(tmp_path):
    path = tmp_path / "piece.parquet"
    table = pa.table(
        {"id": ["a", "b", "c"], "sample_weight": [1.0, 1.0, 1.0], "quality": [1.0, None, None]},
        schema=pa.schema(
            {"id": pa.string(), "sample_weight": pa.float32(), "quality": pa.float32()}
        ),
    )
    pq.write_table(table, path)
    part = Part(str(path), bytes([1, 1, 1]), {"sample_weight": {"a": 2.0}}, _worked_out)
    assert pickle.loads(pickle.dumps(part)).work_out() == _worked_out()
    (found,) = _rows_of(part)
    assert found.schema == table.schema
    assert found.to_pydict() == {
        "id": ["a", "b", "c"],
        "sample_weight": [2.0, 0.5, 1.0],
        "quality": [1.0, 0.75, None],
    }
    assert Piece(path, [], []).work_out is None


def test_what_works_values_out_can_be_sent_to_other_processes(tmp_path):
    work = _work(tmp_path, {"m1": (MIXED, [])})
    made = working_out(work / ROWS / "m1", "mask", Weighing(None, 0.5, 4), {"bad": 1.0})
    assert isinstance(made, functools.partial)
    assert pickle.loads(pickle.dumps(made))() == made()


def test_the_plot_shows_every_interval_and_is_the_same_twice():
    bins = [Bin(0.0, 0.1, 12, 0.05, 0.1), Bin(0.9, 1.0, 40, 0.97, 0.95)]
    one, two = mask_quality.plotted(bins), mask_quality.plotted(bins)
    assert (one == two).all()
    dots = (one == np.array(mask_quality.DOT)).all(axis=2)
    for each in bins:
        x = mask_quality.MARGIN_PX + round(each.quality * mask_quality.SIDE_PX)
        y = mask_quality.MARGIN_PX + round((1 - each.share) * mask_quality.SIDE_PX)
        assert dots[y - 2 : y + 3, x - 2 : x + 3].all()
    assert formula(np.array([_features(0.4)])) == pytest.approx([0.4])
