"""What the card says of how good masks are, with a plot of how far that can be believed."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from builder.release.samples import ASSETS
from builder.release.weighing import Weighing
from core.pictures.media import encode
from tasks.mask.quality import Bin

PLOT = f"{ASSETS}/mask_quality.webp"
SIDE_PX, MARGIN_PX = 320, 52
INK, FAINT, BAR, DOT = (40, 44, 52), (200, 204, 210), (214, 226, 240), (31, 119, 208)
NAMED = 4  # measures that the card tells, those that say most


def card_text(folder: Path, weighing: Weighing) -> str:
    """A sentence or two for the card of a build; draws the plot into its folder where there is a
    discriminator."""
    start = "**Quality of masks** (`quality`, `sample_weight` of the config `mask`)"
    if not weighing.masks:
        return f"{start}: this build has no masks."
    mean = f"Mean over {weighing.masks:,} masks: {weighing.mean:.3f}."
    model = weighing.model
    if model is None:
        return (
            f"{start}: 1 where the source drew the pixels, else a fixed formula over measures of "
            "the mask, for there is too little here that is known to be right to learn from "
            f"(docs/masks.md). {mean}"
        )
    (folder / ASSETS).mkdir(exist_ok=True)
    (folder / PLOT).write_bytes(encode(plotted(model.reliability), "webp"))
    order = np.argsort(-np.abs(model.weights), kind="stable")[:NAMED]
    named = ", ".join(f"{model.features[i]} {model.weights[i]:+.2f}" for i in order)
    return (
        f"{start}: 1 where the source drew the pixels, else what a discriminator says that was "
        f"fitted to {model.good:,} good and {model.bad:,} bad masks of {model.manuals} manuals "
        f"whose truth is known (AUC on manuals it never saw {model.auc:.3f}; what counts most: "
        f"{named}). {mean} Said and found share of good masks, on manuals it never saw:\n\n"
        f"  ![Reliability of the quality of masks]({PLOT})"
    )


def plotted(bins: list[Bin]) -> np.ndarray:
    """(H, W, 3) uint8: mean quality against the share of good masks, a dot an interval; bars are
    how many masks lie in it."""
    size = SIDE_PX + 2 * MARGIN_PX
    sheet = Image.new("RGB", (size, size), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    low, high = MARGIN_PX, MARGIN_PX + SIDE_PX
    most = max((one.masks for one in bins), default=1)
    for one in bins:
        left, right = (low + round(v * SIDE_PX) for v in (one.low, one.high))
        top = high - round(one.masks / most * SIDE_PX / 3)
        pen.rectangle((left + 1, top, right - 1, high), fill=BAR)
        pen.text(((left + right) / 2, top - 2), f"{one.masks}", INK, font, anchor="ms")
    for share in (0.0, 0.5, 1.0):
        at = round(share * SIDE_PX)
        pen.line((low, high - at, high, high - at), FAINT)
        pen.text((low - 6, high - at), f"{share:g}", INK, font, anchor="rm")
        pen.text((low + at, high + 6), f"{share:g}", INK, font, anchor="mt")
    pen.line((low, high, high, low), FAINT, 2)
    places = [(low + one.quality * SIDE_PX, high - one.share * SIDE_PX) for one in bins]
    pen.line(places, DOT, 2)
    for x, y in places:
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), DOT)
    pen.text((low, low - 10), "share of good masks", INK, font, anchor="ls")
    pen.text((high, high + 24), "quality, as said", INK, font, anchor="rt")
    return np.asarray(sheet)
