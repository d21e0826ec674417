"""What a source knows of pictures that it drew itself: `scene/scene.json` in a manual's folder.

A source that draws its pictures need not guess which pixels are the new part, where is left, or
what a wrong step looks like: it writes that down, and whoever has a scene of a picture uses it.
Pictures that were crawled have none.

Frames: the world is right-handed, in millimetres, x to the right and y away from the reader who
looks from the front, z up; a LEGO stud pitch is 8 mm, a plate 3.2 mm. Pictures count from the top
left corner of the first pixel, boxes are `[x0, y0, x1, y1]` with x1 and y1 exclusive.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from core.errors import UserError
from core.records import load

if TYPE_CHECKING:
    import numpy as np

FOLDER, FILE = "scene", "scene.json"
STUD_MM, PLATE_MM = 8.0, 3.2
# What can be wrong with an alternative; the names are those of `negative_kind`.
KINDS = (
    "shift", "rotate", "mirror", "wrong_color", "wrong_part", "missing", "extra", "order",
)  # fmt: skip
# What the kind is when picture and sentence are exchanged: a part more is one less the other way.
EXCHANGED = {"missing": "extra", "extra": "missing"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

RGB = tuple[int, int, int]
Box = tuple[int, int, int, int]
# Words as the pages tag them: (tag or "", text); a line is a sentence or a list entry.
Line = list[tuple[str, str]]


Number = TypeVar("Number", int, float)
Box3 = tuple[Number, Number, Number, Number, Number, Number]  # x0, y0, z0, x1, y1, z1


def walls_around(hole: Box3[Number], box: Box3[Number]) -> list[Box3[Number]]:
    """The four boxes that are left of a box when a hole goes through it from below to its top.

    >>> walls_around((1, 1, 0, 3, 3, 1), (0, 0, 0, 4, 4, 1))[0]
    (0, 0, 0, 4, 1, 1)
    """
    (x0, y0, z0, x1, y1, z1), (left, front, _, right, back, _) = box, hole
    return [
        (x0, y0, z0, x1, front, z1),
        (x0, back, z0, x1, y1, z1),
        (x0, front, z0, left, back, z1),
        (right, front, z0, x1, back, z1),
    ]


class Camera(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parallel projection: `xy_px = matrix_px_per_mm @ xyz_mm + offset_px`.

    `depth_xyz` is the direction of sight: of two points on one pixel the one with the smaller
    `depth_xyz @ xyz_mm` hides the other.
    """

    matrix_px_per_mm: tuple[tuple[float, float, float], tuple[float, float, float]]
    offset_px: tuple[float, float]
    depth_xyz: tuple[float, float, float]
    size_wh: tuple[int, int]


class PartInstance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part at its place. `label` is what texts call it ("brick 2x4"), `kind` the shape's own
    name in the source; `pose_mm` is (3, 4): rotation and translation of the shape's own frame;
    `box_mm` is x0, y0, z0, x1, y1, z1 in the world, without the studs on top; `step` is the
    number of the step in the session that adds it, from 0, null for parts in a find picture.
    `hole_mm` is the opening that goes through a frame from below to its top, null in other parts.
    `within` is the id of the part in whose opening it lies, as a rim in its tyre (the smallest,
    if in several); null where it lies in none, or the source tells it by `hole_mm`.
    """

    id: int
    label: str
    kind: str
    color: str
    rgb: RGB
    pose_mm: tuple[tuple[float, float, float, float], ...]
    box_mm: tuple[float, float, float, float, float, float]
    session: str
    step: int | None
    hole_mm: tuple[float, float, float, float, float, float] | None = None
    within: int | None = None

    @property
    def solid_boxes_mm(self) -> list[Box3[float]]:
        """Boxes that together take up the part's room: one, or the four walls of a frame."""
        hole = self.hole_mm
        return [self.box_mm] if hole is None else walls_around(hole, self.box_mm)


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part in a picture: how many of its pixels are seen, and their box; null when none is."""

    part_id: int
    visible_px: int
    box_xyxy_px: Box | None


class ScenePicture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A picture. Number i + 1 in the mask file is the part `shown[i]`; 0 is background.

    `sha256` is of the picture's file. `file` is where it lies in the scene's folder; null for
    pictures of the page itself.
    """

    sha256: str
    masks_file: str
    camera: Camera
    background_rgb: RGB
    outline_rgb: RGB | None
    shown: list[Shown]
    file: str | None = None


class StatedGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Equal parts of a step, and the facts that its sentence states of them.

    `facts` are by name (relation, support, anchor, x, depth, orientation, layout, slope, ...); what
    the sentence does not say is not there.
    """

    label: str
    color: str
    part_ids: list[int]
    facts: dict[str, str | int]


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a manual says at a step: the lines to find parts and to put them, and as facts."""

    find_lines: list[Line]
    put_lines: list[Line]
    groups: list[StatedGroup]


class Alternative(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another end of a step, which could be built; the step's own sentence is false of it.

    `says` is true of it and false of the right picture. `false_facts` are the facts of the right
    sentence that do not hold here; `distance_studs` how far parts were moved (0 if not).
    `correction` says how to come from here to what the right sentence says, `exchanged` from the
    right picture to what `says` says. `changed` are ids of parts that are not as they should be.
    """

    kind: str
    picture: ScenePicture
    says: Statement
    false_facts: list[str]
    correction: str
    exchanged: str
    distance_studs: float
    changed: list[int]


class StepScene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step: its pictures by sha256, the new parts, what is said of them, other ends of it.

    `determines_place`: no legal other place is known of which the sentence is true as well; null
    where nothing is seen to hold a part, so that other places of it are not known.
    `turned_down` counts alternatives that were tried and can't be used, by reason.
    """

    session: str
    step: int
    step_sha256: str
    find_sha256: str | None
    new_ids: list[int]
    says: Statement
    determines_place: bool | None
    alternatives: list[Alternative] = []
    turned_down: dict[str, int] = {}


class ManualScene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`scene.json`: all parts (those of alternatives too), the page's pictures, the steps."""

    manual_id: str
    parts: list[PartInstance]
    pictures: list[ScenePicture]
    steps: list[StepScene]
    version: int = 1


def plain(line: Line) -> str:
    """A line as text: words with single spaces, marks without one before."""
    text = ""
    for tag, word in line:
        text += word if tag == "suffix" or not text else f" {word}"
    return text


def load_scene(manual_folder: Path) -> ManualScene | None:
    """The scene of a manual's folder, None where there is none. Raises `UserError`."""
    path = manual_folder / FOLDER / FILE
    if not path.is_file():
        return None
    scene = load(path, ManualScene)
    for name in files_of(scene):
        if not _PLAIN_NAME.fullmatch(name):
            raise UserError(f"{path}: {name!r} is no plain file name; the scene can't be used")
    return scene


def files_of(scene: ManualScene) -> list[str]:
    """Names of the files that a scene needs in its folder, each once."""
    pictures = [*scene.pictures, *(a.picture for step in scene.steps for a in step.alternatives)]
    names = [name for picture in pictures for name in (picture.masks_file, picture.file) if name]
    return list(dict.fromkeys(names))


def read_masks(manual_folder: Path, picture: ScenePicture) -> "np.ndarray":
    """(H, W) uint8 or uint16 of part numbers, as `ScenePicture` says. Raises `UserError`."""
    import cv2
    import numpy as np

    path = manual_folder / FOLDER / picture.masks_file
    numbers: np.ndarray | None
    try:
        numbers = np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED))
    except (OSError, cv2.error):
        numbers = None
    if numbers is None or numbers.ndim != 2 or numbers.shape[::-1] != picture.camera.size_wh:
        raise UserError(
            f"{path}: not a map of part numbers of {picture.camera.size_wh} pixels; delete the "
            "manual's folder and run again to make it anew"
        )
    return numbers
