"""The discriminator of masks: what it is fitted to, what it says, what its reliability means."""

import numpy as np
import pytest

from builder.release.discriminator import NEEDED, Reservoir, Sample, fitted, reliability
from tasks.mask.features import NAMES
from tasks.mask.quality import quality_of


def _samples(number, manuals=4, seed=0, apart=0.3):
    """Samples whose agreement tells good from bad, with noise, and the rest of which says nothing;
    one of four is bad."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(number):
        good = index % 4 > 0
        values = rng.uniform(0, 1, len(NAMES))
        values[0] = np.clip(0.5 + apart * (1 if good else -1) + rng.normal(0, 0.15), 0, 1)
        found.append(Sample(good, values.tolist(), f"manual {index // 4 % manuals}"))
    return found


def test_it_learns_what_tells_good_masks_and_nothing_else():
    model = fitted(_samples(400))
    weights = dict(zip(model.features, np.abs(model.weights), strict=True))
    assert max(weights, key=weights.get) == "agreement"
    assert weights["agreement"] > 3 * max(v for k, v in weights.items() if k != "agreement")
    assert model.auc > 0.95
    assert (model.good, model.bad, model.manuals) == (300, 100, 4)
    other = _samples(200, seed=1)
    said = quality_of([sample.features for sample in other], model)
    good = np.array([sample.good for sample in other])
    assert said[good].mean() > 0.85
    assert said[~good].mean() < 0.2


def test_what_says_nothing_is_not_believed():
    model = fitted(_samples(400, apart=0.0))
    assert 0.35 < model.auc < 0.65
    said = quality_of([sample.features for sample in _samples(200, seed=1, apart=0.0)], model)
    assert 0.6 < said.min() <= said.max() < 0.9  # three of four are good


def test_it_is_the_same_whatever_the_order_of_manuals_and_twice():
    samples = _samples(200)

    def kept(order):
        reservoir = Reservoir(7, 100)
        for index in order:
            reservoir.add(f"{index}", samples[index])
        return reservoir.samples()

    assert kept(range(200)) == kept(reversed(range(200)))
    assert len(kept(range(200))) == 100
    assert fitted(kept(range(200))) == fitted(kept(reversed(range(200))))


def test_a_small_reservoir_is_a_fair_sample():
    samples = _samples(4000)
    reservoir = Reservoir(7, 400)
    for index, sample in enumerate(samples):
        reservoir.add(f"{index}", sample)
    assert 0.68 < np.mean([sample.good for sample in reservoir.samples()]) < 0.82


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [s for s in _samples(400) if s.good],
        [s._replace(manual_id="only") for s in _samples(400)],
        _samples(4 * (NEEDED - 1)),
    ],
    ids=["none", "one kind", "one manual", "too few"],
)
def test_too_little_to_learn_from_gives_none(samples):
    assert fitted(samples) is None


def test_reliability_is_the_share_of_good_ones_by_what_was_said():
    said = np.array([0.05, 0.05, 0.95, 0.95, 0.95, 0.95])
    labels = np.array([False, True, True, True, True, True])
    low, high = reliability(said, labels)
    assert (low.low, low.high, low.masks, low.quality, low.share) == (0.0, 0.1, 2, 0.05, 0.5)
    assert (high.masks, high.share) == (4, 1.0)
