"""Words that all drawn manuals share: places in an assembly, layouts of equal parts, studs."""

from collections.abc import Sequence

# By (left, middle or right; front, middle or back), as a reader has the model before himself.
PLACES: dict[tuple[object, object], str] = {
    ("left", None): "on the left",
    ("right", None): "on the right",
    ("middle", None): "centered from left to right",
    (None, "front"): "at the front",
    (None, "back"): "at the back",
    (None, "middle"): "centered from front to back",
    ("left", "front"): "in the front left",
    ("right", "front"): "in the front right",
    ("left", "back"): "in the back left",
    ("right", "back"): "in the back right",
    ("left", "middle"): "on the left, centered from front to back",
    ("right", "middle"): "on the right, centered from front to back",
    ("middle", "front"): "centered from left to right, at the front",
    ("middle", "back"): "centered from left to right, at the back",
    ("middle", "middle"): "in the middle",
}
LAYOUTS = {
    "left_right": "one on the left and one on the right",
    "front_back": "one at the front and one at the back",
    "side_by_side": "side by side",
    "behind": "one behind the other",
    "corners": "one in each corner",
    "two_two": "two on the left and two on the right",
}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def studs_words(n: int) -> str:
    """ "one stud", "two studs"; figures above ten."""
    number = NUMBERS[n] if n < len(NUMBERS) else str(n)
    return f"{number} stud{'' if n == 1 else 's'}"


def way_words(right_studs: int, back_studs: int) -> str:
    """ "two studs to the left and one stud to the back"; a negative way is the opposite one."""
    ways = [
        f"{studs_words(abs(n))} {words}"
        for n, words in (
            (right_studs, "to the right" if right_studs > 0 else "to the left"),
            (back_studs, "to the back" if back_studs > 0 else "to the front"),
        )
        if n
    ]
    return " and ".join(ways)


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
