"""How people see mask rows: the picture with everything else greyed out."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from core.masks import read_mask
from tasks.drawing import RIGHT_RGB, draw_box, pixels
from tasks.task import Drawing, Row, Show, ShownBox

FADED = 0.25  # of what the mask leaves out


def faded(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 pixels, pale and grey but for what a (H, W) bool mask shows."""
    grey = np.array(Image.fromarray(rgb).convert("L"))[..., None]
    pale = (255 - FADED * (255 - grey.astype(float))).astype(np.uint8)
    return np.where(mask[..., None], rgb, pale)


def draw(rows: Sequence[Row]) -> Drawing:
    """A picture, faded but for what the instruction is about: the first collage, where much is
    left out, else the first row's."""
    collages = (row for row in rows if len(row["provenance"]["source_images"]) > 1)
    row = next(collages, rows[0])
    shown = faded(pixels(row), read_mask(row["mask"]["bytes"]))
    for box in row["boxes_px"]:
        draw_box(shown, box, RIGHT_RGB)
    return Drawing(shown, f"“{row['query']}”: in colour what it is about", row)


def boxes(row: Row) -> list[ShownBox]:
    """The single things."""
    return [ShownBox("", "asked", box) for box in row["boxes_px"]]


def line(row: Row) -> str:
    """The instructions, and how sure the mask is."""
    texts = ", ".join(f"{one['level']} “{one['text']}”" for one in row["instruction_variants"])
    return f"{texts} (covers {row['area_ratio']:.1%}, quality {row['quality']:.2f})"


SHOW = Show(draw, boxes, line=line, alt=lambda row: f"a picture, asked about: {row['query']}")
