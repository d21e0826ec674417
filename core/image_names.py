"""The tags that a picture's file name carries (T3): session sign, step number, step class."""

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

# `Car-28_eop_AG`, `sm01-island-0_step_Step ##E`, `car_0006_step_A`: sign, number, class, sign.
_CLASSES = r"(?P<step_class>fullscreeneop|eop|step|start)(?:[-_](?P<other>.*))?$"
WHOLE_NAME_RE = re.compile(r"^(?P<sign>.+?)[-_](?P<number>\d{1,4})_" + _CLASSES, re.IGNORECASE)
# Names that lack the sign or the number: `Start`, `Car_start`, `0006_step_A`.
NAME_RE = re.compile(
    r"^(?:(?!\d{1,4}_?(?:fullscreeneop|eop|step|start))(?P<sign>.+?)[-_])?(?P<number>\d{1,4})?_?"
    + _CLASSES,
    re.IGNORECASE,
)
EOP_CLASSES = ("eop", "fullscreeneop")


class ImageName(NamedTuple):
    """Tags of an image file name (T3); None where the name says nothing."""

    id_sign: str | None
    step_num: int | None
    step_class: str | None
    other_sign: str | None


def file_name(src: str) -> str:
    r"""The decoded last part of an `src`; `#` is part of the name on this site.

    A name is the same however its accents are stored: composed (NFC) or, as a Mac does, apart.

    >>> file_name("/manual-images/60263/sm01-island-0_step_Step%20%23%23E.png")
    'sm01-island-0_step_Step ##E.png'
    >>> file_name("..\\pics\\Car-28_eop_AG.png")
    'Car-28_eop_AG.png'
    """
    path = re.sub(r"\?[^/]*$", "", src.replace("\\", "/"))
    return unicodedata.normalize("NFC", unquote(path.rsplit("/", 1)[-1]))


def parse_image_name(name: str) -> ImageName:
    """Read the tags of an image file name.

    >>> parse_image_name("Car-28_eop_AG.png")
    ImageName(id_sign='Car', step_num=28, step_class='eop', other_sign='AG')
    >>> parse_image_name("Sub-assembly-14-5_step_F.png").id_sign
    'Sub-assembly-14'
    >>> parse_image_name("Start.png")
    ImageName(id_sign=None, step_num=None, step_class='start', other_sign=None)
    """
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name)
    # A sign may hold "step" or "start" itself, so the whole form comes first.
    match = WHOLE_NAME_RE.match(stem) or NAME_RE.match(stem)
    if not match:
        return ImageName(None, None, None, None)
    number = match["number"]
    return ImageName(
        match["sign"] or None,
        int(number) if number else None,
        match["step_class"].lower(),
        match["other"] or None,
    )


def says_what_it_shows(src: str) -> bool:
    """Whether the file name of an address holds a step class.

    >>> says_what_it_shows("/pics/Car-28_eop_AG.png"), says_what_it_shows("/pics/spinner.gif")
    (True, False)
    """
    return parse_image_name(file_name(src)).step_class is not None
