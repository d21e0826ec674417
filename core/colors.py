"""LEGO colour names and their RGB values (0-255), for telling parts apart by their names.

The names are those audio instructions use; several names may mean one colour, and old and new
greys differ. Values are the published solid colours; they need only rank parts, not measure them.
"""

import cv2
import numpy as np

COLORS: dict[str, tuple[int, int, int]] = {
    "white": (244, 244, 244),
    "black": (27, 42, 52),
    "grey": (138, 146, 141),
    "gray": (138, 146, 141),
    "light grey": (161, 165, 162),
    "dark grey": (84, 89, 85),
    "light stone grey": (150, 150, 150),
    "medium stone grey": (150, 150, 150),
    "light bluish grey": (150, 150, 150),
    "dark stone grey": (100, 100, 100),
    "dark bluish grey": (100, 100, 100),
    "silver": (140, 140, 140),
    "metallic silver": (165, 169, 180),
    "silver metallic": (165, 169, 180),
    "titanium metallic": (62, 60, 57),
    "gold": (170, 127, 46),
    "warm gold": (185, 149, 59),
    "red": (180, 0, 0),
    "bright red": (180, 0, 0),
    "dark red": (114, 0, 18),
    "new dark red": (114, 0, 18),
    "orange": (245, 134, 36),
    "bright orange": (245, 134, 36),
    "dark orange": (145, 80, 28),
    "flame yellowish orange": (252, 172, 0),
    "bright light orange": (252, 172, 0),
    "yellow": (250, 200, 10),
    "bright yellow": (250, 200, 10),
    "cool yellow": (255, 236, 108),
    "bright light yellow": (255, 236, 108),
    "light yellow": (255, 236, 108),
    "tan": (221, 196, 142),
    "brick yellow": (221, 196, 142),
    "beige": (221, 196, 142),
    "sand": (221, 196, 142),
    "dark tan": (148, 125, 98),
    "sand yellow": (148, 125, 98),
    "nougat": (204, 142, 105),
    "medium nougat": (170, 125, 85),
    "light nougat": (246, 215, 179),
    "brown": (88, 57, 39),
    "reddish brown": (94, 49, 27),
    "dark brown": (53, 33, 0),
    "lime": (165, 202, 24),
    "bright yellowish green": (165, 202, 24),
    "spring yellowish green": (226, 249, 154),
    "green": (0, 133, 43),
    "bright green": (88, 171, 65),
    "dark green": (0, 133, 43),
    "earth green": (0, 69, 26),
    "olive green": (119, 119, 78),
    "sand green": (112, 142, 124),
    "turquoise": (6, 157, 159),
    "dark turquoise": (6, 157, 159),
    "bright bluish green": (6, 157, 159),
    "aqua": (211, 242, 234),
    "light aqua": (211, 242, 234),
    "blue": (30, 90, 168),
    "bright blue": (30, 90, 168),
    "medium blue": (115, 150, 200),
    "light blue": (157, 195, 247),
    "light royal blue": (157, 195, 247),
    "dark azure": (70, 155, 195),
    "medium azure": (104, 195, 226),
    "azure": (104, 195, 226),
    "dark blue": (25, 50, 90),
    "earth blue": (25, 50, 90),
    "sand blue": (112, 129, 154),
    "purple": (68, 26, 145),
    "dark purple": (68, 26, 145),
    "medium lilac": (68, 26, 145),
    "light purple": (205, 164, 222),
    "lavender": (205, 164, 222),
    "medium lavender": (160, 110, 185),
    "magenta": (144, 31, 118),
    "bright reddish violet": (144, 31, 118),
    "pink": (255, 158, 205),
    "bright pink": (255, 158, 205),
    "light pink": (255, 158, 205),
    "dark pink": (211, 53, 157),
    "bright purple": (211, 53, 157),
    "coral": (255, 109, 119),
    "vibrant coral": (255, 109, 119),
    "neon green": (192, 255, 0),
    "fluorescent green": (192, 255, 0),
    "neon orange": (255, 128, 13),
    "fluorescent reddish orange": (255, 128, 13),
    "bright light blue": (157, 195, 247),
    "clear": (238, 238, 238),
}


def color_lab(name: str, background_rgb: tuple[float, float, float]) -> np.ndarray | None:
    """CIE Lab (3,) of a colour as it looks in a picture, or None for an unknown name.

    A transparent part lets the background through: half of it, which is what renderings show.
    The longest known name inside the words wins ("sticker on bright red" is bright red).
    """
    words = " ".join(name.lower().split())
    known = [key for key in COLORS if f" {key} " in f" {words} "]
    clear = "transparent" in words or words.startswith("trans")
    if not known and not clear:
        return None
    rgb = np.array(COLORS[max(known, key=len)] if known else COLORS["clear"], float)
    if clear:
        rgb = 0.5 * rgb + 0.5 * np.asarray(background_rgb)
    pixel = (rgb / 255).astype(np.float32).reshape(1, 1, 3)
    found: np.ndarray | None = cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB)[0, 0]
    return found


def split_color(text: str) -> tuple[str, str]:
    """Colour words and the rest of a phrase without tags.

    >>> split_color("transparent dark red flat tiles 1x2")
    ('transparent dark red', 'flat tiles 1x2')
    """
    words = text.split()
    start = 1 if words and words[0].lower() in ("transparent", "trans") else 0
    for end in range(len(words) - 1, start, -1):  # the longest known name; something must be left
        if " ".join(words[start:end]).lower() in COLORS:
            return " ".join(words[:end]), " ".join(words[end:])
    return " ".join(words[:start]), " ".join(words[start:])
