"""Draws, and takes outlines off, in a process of its own: `on_processor.py FOLDER [MODEL LIBRARY]`.

What was made lies in FOLDER; on standard output, what OpenCV uses of the processor.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from drawn import random_drawn

from builder.sources.demo.manuals import draw_manual
from builder.sources.ldraw.making import Wanted, make_manual
from builder.sources.ldraw.models import ModelFile, titles_of
from synthesis.restoration import Sight, uncovered

SEED, STEPS = 42, 4


def draw_model(folder: Path, path: Path, library: Path) -> None:
    """The first steps of a CAD model as a manual."""
    model = ModelFile(path)
    ((manual_id, number, title),) = titles_of([model])
    title = f"{number} {title}"
    make_manual(Wanted(folder, model, manual_id, title, library, SEED, STEPS, False, False))


def take_outlines_off(folder: Path) -> None:
    """Outlined parts with a dark border, of which a later picture shows the upper half."""
    for seed in range(8):
        drawn = random_drawn(seed, (320, 240))
        part, outline = drawn.segment.part, drawn.segment.outline
        border = part & (cv2.erode(part.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
        later = np.where(part[..., None], np.uint8([200, 120, 40]), drawn.ground)
        later[border] = (40, 24, 8)
        hidden = np.zeros_like(part)
        hidden[drawn.segment.part.any(1).argmax() + 20 :] = True
        earlier = Sight(drawn.ground, np.zeros_like(part))
        made, line = uncovered(drawn.picture(), outline, part, Sight(later, hidden), earlier)
        assert line is not None
        np.save(folder / f"{seed}.npy", made)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir()
    if len(sys.argv) > 2:
        draw_model(place, Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        draw_manual(place, 0, SEED)
        take_outlines_off(place)
    print(cv2.getCPUFeaturesLine())
