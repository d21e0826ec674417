"""The annotator of masks that has a model: a promptable segmenter (SAM, through `transformers`).

It is asked with the boxes of what an annotator without a model found, an instance each, so it says
which pixels these are, not where to look. Only where somebody names a model (`--mask-model`).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.cli import require
from core.errors import UserError
from tasks.mask.candidates import Candidate, boxes_of

if TYPE_CHECKING:
    from tasks.mask.views import View
    from tasks.options import TaskOptions

NAME = "prompted"
OPTION = "--mask-model"
# Parts of one picture that are asked about; more are no parts but noise.
PROMPTS_MOST = 16


class Segmenter(NamedTuple):
    """A loaded model and what makes its input of a picture."""

    model: Any
    pictures: Any


def annotators(
    options: TaskOptions,
) -> list[Callable[[View, Sequence[Candidate]], list[Candidate]]]:
    """The annotators with a model that the options name: one or none."""
    if options.mask_model is None:
        return []
    return [functools.partial(annotate, options.mask_model)]


def check(place: str) -> None:
    """Raise `UserError` where a model can't be used, before any work: a package is missing, or
    there is no model."""
    require("annotate", f"{OPTION} {place}", "torch", "transformers")
    from transformers import AutoConfig

    with _named(place):
        AutoConfig.from_pretrained(place)


@functools.lru_cache(1)
def opened(place: str) -> Segmenter:
    """Load the model of a folder or Hub id, on the CPU; raises `UserError`."""
    from transformers import AutoImageProcessor, SamModel

    with _named(place):
        pictures = AutoImageProcessor.from_pretrained(place, backend="pil")
        model = SamModel.from_pretrained(place)
    return Segmenter(model.eval(), pictures)


@contextlib.contextmanager
def _named(place: str) -> Iterator[None]:
    """What goes wrong with a model says which, and the cure."""
    try:
        yield
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise UserError(
            f"{OPTION} {place}: can't be loaded ({said}); give a folder or a Hub id of a SAM model"
        ) from error


def annotate(place: str, view: View, found: Sequence[Candidate]) -> list[Candidate]:
    """The model's mask of what the first annotator found; none where nobody found anything."""
    boxes = boxes_of(found[0].numbers)[:PROMPTS_MOST] if found else []
    if not boxes:
        return []
    numbers = np.zeros(view.picture.rgb.shape[:2], np.uint8)
    scores = []
    for number, (mask, score) in enumerate(_segmented(opened(place), view.picture.rgb, boxes), 1):
        numbers[mask & (numbers == 0)] = number
        scores.append(score)
    return [Candidate(NAME, numbers, float(np.clip(np.mean(scores), 0, 1)))]


def _segmented(
    segmenter: Segmenter, rgb: np.ndarray, boxes_px: Sequence[Sequence[float]]
) -> Iterator[tuple[np.ndarray, float]]:
    """((H, W) bool, the model's own estimate of its overlap) for every box."""
    import torch

    taken = segmenter.pictures(images=rgb, return_tensors="pt")
    sizes = taken["original_sizes"], taken["reshaped_input_sizes"]
    (height, width), (new_height, new_width) = (size[0].tolist() for size in sizes)
    scale = torch.tensor([new_width / width, new_height / height] * 2)
    prompts = torch.tensor(np.array(boxes_px), dtype=torch.float32)[None] * scale
    with torch.inference_mode():
        output = segmenter.model(
            pixel_values=taken["pixel_values"], input_boxes=prompts, multimask_output=False
        )
    masks = segmenter.pictures.post_process_masks(output.pred_masks, *sizes)[0]
    for mask, score in zip(masks[:, 0].numpy(), output.iou_scores[0, :, 0].tolist(), strict=True):
        yield mask.astype(bool), score
