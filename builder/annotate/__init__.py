"""Annotators: who gives the boxes of eop pictures. One file each; to add one, write
`annotate(picture, image_sha256, instruction) -> Annotation` and name it here.
"""

from collections.abc import Callable

from builder.annotate import foreground
from builder.media import Picture
from builder.records import Annotation, Instruction

ANNOTATORS: dict[str, Callable[[Picture, str, Instruction], Annotation]] = {
    foreground.NAME: foreground.annotate,
}
