"""Masks of manuals that nobody drew: what the mixture of annotators makes of them."""

import numpy as np
import pytest
from built import context_of

from benchmarks import truth_masks
from builder.annotate import foreground
from core.masks import mask_iou, read_mask
from core.store import ROWS
from tasks import TASKS
from tasks.mask import samples
from tasks.mask.candidates import Candidate, combine, numbered
from tasks.mask.features import NAMES
from tasks.mask.mixture import Judged, with_chosen
from tasks.mask.rows import ORIGINS
from tasks.options import TaskOptions
from tasks.regions import StepRegions, region


@pytest.fixture(scope="module")
def work(demo):
    """A work folder with manuals of the demo, parsed and annotated."""
    return demo / "w"


def _first(work):
    return min(folder.name for folder in (work / ROWS).iterdir())


def _context(work, flat):
    context = context_of(work, _first(work), TaskOptions(image_format="bmp"))
    if flat:
        context.__dict__["scene"] = None  # as if nobody knew what was drawn
        for row in context.rows():
            if row.is_eop and row.instruction.VLM.img_path:
                step = row.instruction
                said = foreground.annotate(context.picture(step), step.img_sha256, step)
                context.annotations[step.instruction_id] = said
    return context


@pytest.fixture(scope="module")
def rows(work):
    """(exact rows, machine rows, the notes on these)."""
    exact, flat = _context(work, False), _context(work, True)
    known, found = (list(TASKS["mask"].rows.make(context)) for context in (exact, flat))
    return known, found, flat.mask_notes


def _place(row):
    names = row["answer"].split("{")[0] if ORIGINS[row["origin"]] == "object" else ""
    return row["origin"], row["provenance"]["source_images"][0]["path"], names


def test_masks_are_nearly_the_true_ones_and_say_who_found_them(rows):
    known, found, _ = rows
    truth = {_place(row): read_mask(row["mask"]["bytes"]) for row in known}
    ious = {"object": [], "scene": []}
    for row in found:
        assert row["source"] == 2
        assert row["n_annotators"] == len(row["candidates"]) >= 1
        assert (row["agreement"] is None) == (row["n_annotators"] == 1)
        best = max(row["candidates"], key=lambda one: one["mask_iou_with_chosen"])
        assert best["mask_iou_with_chosen"] == 1
        x0, y0, x1, y1 = best["box_px"]
        assert 0 <= x0 < x1 <= 960
        assert 0 <= y0 < y1 <= 720
        assert 0 < row["quality"] <= 1
        origin = ORIGINS[row["origin"]]
        if origin in ious and _place(row) in truth:
            mask = read_mask(row["mask"]["bytes"])
            ious[origin].append(mask_iou(mask, truth[_place(row)]))
    assert len(ious["object"]) >= 8
    assert np.mean(ious["object"]) > 0.97
    assert np.median(ious["scene"]) > 0.9  # where the text names no anchor another may be taken
    assert {row["candidates"][0]["annotator"] for row in known} == {"exact"}


def test_rows_of_machines_hold_what_must_hold(rows):
    for row in rows[1]:
        assert list(TASKS["mask"].check.row(row, (960, 720), False)) == []


def test_a_row_has_one_id_whoever_finds_its_pixels(rows):
    """Reviews and predictions of an earlier build go on to hold."""
    known, found = ({_place(row): row["id"] for row in one} for one in rows[:2])
    shared = [place for place in known.keys() & found.keys() if ORIGINS[place[0]] == "object"]
    assert len(shared) > 8
    assert all(known[place] == found[place] for place in shared)


def test_a_mask_of_another_place_is_none_of_the_region():
    """Nobody knows which of the two is right: the reason of a drop."""
    mask = np.zeros((40, 60), bool)
    mask[5:15, 5:25] = True
    own = region(mask, ("plate 1x2", "red"), 1)
    regions = StepRegions("outline", 1.0, [own], [], None)

    def said(moved_px):
        return Judged(combine([Candidate("foreground", numbered(np.roll(mask, moved_px, 1)), 1.0)]),
                      [0.0])  # fmt: skip

    near = with_chosen(regions, said(4))
    assert near.source == "foreground" and (near.new[0].mask == np.roll(mask, 4, 1)).all()
    assert with_chosen(regions, said(30)) == "annotators_disagree"
    two = StepRegions("outline", 1.0, [own, region(np.roll(mask, 20, 0), ("brick", "red"), 1)],
                      [], None)  # fmt: skip
    assert with_chosen(two, said(0)) == "annotators_disagree"  # of the second there is nothing


def test_a_picture_full_of_specks_has_numbers():
    """More pieces than two bytes can count."""
    specks = np.zeros((700, 800), bool)
    specks[::2, ::2] = True
    specks[300:400, 300:400] = True
    assert numbered(specks).max() == 1


def test_every_row_has_a_note_with_its_measures(rows):
    _, found, notes = rows
    assert [note.id for note in notes] == [row["id"] for row in found]
    assert all(len(note.features) == len(NAMES) and not note.exact for note in notes)


def test_each_picture_is_looked_at_once(work, monkeypatch):
    looked = []
    from tasks.mask import mixture

    asked = mixture.machine_candidates
    monkeypatch.setattr(
        mixture, "machine_candidates", lambda *given: looked.append(1) or asked(*given)
    )
    context = _context(work, True)
    monkeypatch.setitem(context.__dict__, "sessions", dict(list(context.sessions.items())[:1]))
    made = list(TASKS["mask"].rows.make(context))
    pictures = {row["provenance"]["source_images"][0]["path"] for row in made}
    assert len(made) >= len(looked) >= len(pictures) > 4
    asked_about = [row for row in context.rows() if row.instruction.VLM.task_label is not None]
    assert len(looked) <= len(asked_about)


def test_samples_are_few_and_know_good_masks_from_bad(work):
    context = _context(work, False)
    own = list(samples.samples(context))
    pictures = 2 * samples.AT_MOST
    assert pictures <= len(own) <= 5 * pictures
    for sample in own:
        assert sample.good == (sample.iou >= samples.GOOD_IOU_MIN)
        assert len(sample.features) == len(NAMES)
    assert any(sample.iou == 1 for sample in own)  # true masks of clean pictures
    assert list(samples.samples(_context(work, False))) == own


def test_a_manual_that_nobody_drew_gives_no_samples(work):
    assert list(samples.samples(_context(work, True))) == []


def test_on_pictures_made_worse_masks_are_measured_against_the_truth(work, monkeypatch):
    degraded = {"degraded": truth_masks.CONDITIONS["degraded"]}
    monkeypatch.setattr(truth_masks, "CONDITIONS", degraded)
    found = truth_masks.mask_measures(work, [_first(work)])
    assert found["masks_degraded_parts"] >= 8
    assert found["masks_degraded_new_part"] >= 8
    assert found["masks_degraded_parts_iou"] >= 0.88
    assert found["masks_degraded_new_part_iou"] >= 0.80
    # One manual is too few for a discriminator: there is the formula alone.
    assert "masks_degraded_quality_by_discriminator_corr" not in found
