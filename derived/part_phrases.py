"""Parts in German, Dutch and French: count, colour and name, as a lexicon and a few rules say them.

The lexicon has the colours of `core.colors` and the plain parts; a name it lacks gives None, never
half a translation. What it says is machine-made: no speaker of these languages has checked it.
"""

import re
from typing import NamedTuple

from core.colors import split_color
from core.part_names import SIZE_RE
from derived.kinds import LANGUAGES


class Noun(NamedTuple):
    """A part's name; `gender` is m, f or n in German, c or n in Dutch, m or f in French. What
    follows a French noun and agrees with it is part of the name."""

    one: str
    several: str
    gender: str


# English singular -> German, Dutch, French.
NOUNS: dict[str, tuple[Noun, Noun, Noun]] = {
    "brick": (
        Noun("Stein", "Steine", "m"), Noun("steen", "stenen", "c"), Noun("brique", "briques", "f"),
    ),
    "round brick": (
        Noun("Rundstein", "Rundsteine", "m"), Noun("ronde steen", "ronde stenen", "c"),
        Noun("brique ronde", "briques rondes", "f"),
    ),
    "corner brick": (
        Noun("Eckstein", "Ecksteine", "m"), Noun("hoeksteen", "hoekstenen", "c"),
        Noun("brique d'angle", "briques d'angle", "f"),
    ),
    "plate": (
        Noun("Platte", "Platten", "f"), Noun("plaat", "platen", "c"),
        Noun("plaque", "plaques", "f"),
    ),
    "round plate": (
        Noun("Rundplatte", "Rundplatten", "f"), Noun("ronde plaat", "ronde platen", "c"),
        Noun("plaque ronde", "plaques rondes", "f"),
    ),
    "corner plate": (
        Noun("Eckplatte", "Eckplatten", "f"), Noun("hoekplaat", "hoekplaten", "c"),
        Noun("plaque d'angle", "plaques d'angle", "f"),
    ),
    "flat tile": (
        Noun("Fliese", "Fliesen", "f"), Noun("tegel", "tegels", "c"),
        Noun("plaque lisse", "plaques lisses", "f"),
    ),
    "round flat tile": (
        Noun("Rundfliese", "Rundfliesen", "f"), Noun("ronde tegel", "ronde tegels", "c"),
        Noun("plaque lisse ronde", "plaques lisses rondes", "f"),
    ),
    "roof tile": (
        Noun("Dachstein", "Dachsteine", "m"), Noun("dakpan", "dakpannen", "c"),
        Noun("tuile", "tuiles", "f"),
    ),
    "inverted roof tile": (
        Noun("umgekehrter Dachstein", "umgekehrte Dachsteine", "m"),
        Noun("omgekeerde dakpan", "omgekeerde dakpannen", "c"),
        Noun("tuile inversée", "tuiles inversées", "f"),
    ),
    "arch": (
        Noun("Bogen", "Bögen", "m"), Noun("boog", "bogen", "c"), Noun("arche", "arches", "f"),
    ),
    "frame": (
        Noun("Rahmen", "Rahmen", "m"), Noun("frame", "frames", "n"), Noun("cadre", "cadres", "m"),
    ),
    "cone": (
        Noun("Kegel", "Kegel", "m"), Noun("kegel", "kegels", "c"), Noun("cône", "cônes", "m"),
    ),
    "wheel": (
        Noun("Rad", "Räder", "n"), Noun("wiel", "wielen", "n"), Noun("roue", "roues", "f"),
    ),
    "bracket": (
        Noun("Winkel", "Winkel", "m"), Noun("beugel", "beugels", "c"),
        Noun("équerre", "équerres", "f"),
    ),
}  # fmt: skip
# Names with an adjective of their own: "1 umgekehrten Dachstein".
_GERMAN_ACCUSATIVE = {"umgekehrter Dachstein": "umgekehrten Dachstein"}

# Colour -> German stem, which takes an ending, Dutch, French. French colours of two words never
# agree ("vert foncé"), nor do things (orange, marron).
COLOR_WORDS: dict[str, tuple[str, str, str]] = {
    "white": ("weiß", "wit", "blanc"),
    "black": ("schwarz", "zwart", "noir"),
    "grey": ("grau", "grijs", "gris"),
    "gray": ("grau", "grijs", "gris"),
    "light grey": ("hellgrau", "lichtgrijs", "gris clair"),
    "dark grey": ("dunkelgrau", "donkergrijs", "gris foncé"),
    "light stone grey": ("hellsteingrau", "lichtsteengrijs", "gris pierre clair"),
    "medium stone grey": ("mittelsteingrau", "middensteengrijs", "gris pierre moyen"),
    "light bluish grey": ("hellblaugrau", "lichtblauwgrijs", "gris bleuté clair"),
    "dark stone grey": ("dunkelsteingrau", "donkersteengrijs", "gris pierre foncé"),
    "dark bluish grey": ("dunkelblaugrau", "donkerblauwgrijs", "gris bleuté foncé"),
    "silver": ("silberfarben", "zilverkleurig", "argenté"),
    "gold": ("goldfarben", "goudkleurig", "doré"),
    "red": ("rot", "rood", "rouge"),
    "bright red": ("leuchtend rot", "felrood", "rouge vif"),
    "dark red": ("dunkelrot", "donkerrood", "rouge foncé"),
    "orange": ("orangefarben", "oranje", "orange"),
    "bright orange": ("leuchtend orangefarben", "feloranje", "orange vif"),
    "dark orange": ("dunkelorangefarben", "donkeroranje", "orange foncé"),
    "yellow": ("gelb", "geel", "jaune"),
    "bright yellow": ("leuchtend gelb", "felgeel", "jaune vif"),
    "light yellow": ("hellgelb", "lichtgeel", "jaune clair"),
    "tan": ("beigefarben", "beige", "beige"),
    "brick yellow": ("ziegelgelb", "baksteengeel", "jaune brique"),
    "beige": ("beigefarben", "beige", "beige"),
    "dark tan": ("dunkelbeigefarben", "donkerbeige", "beige foncé"),
    "sand yellow": ("sandgelb", "zandgeel", "jaune sable"),
    "brown": ("braun", "bruin", "marron"),
    "reddish brown": ("rotbraun", "roodbruin", "brun rouge"),
    "dark brown": ("dunkelbraun", "donkerbruin", "brun foncé"),
    "lime": ("limettengrün", "limoengroen", "vert citron"),
    "bright yellowish green": ("leuchtend gelbgrün", "felgeelgroen", "vert jaune vif"),
    "green": ("grün", "groen", "vert"),
    "bright green": ("leuchtend grün", "felgroen", "vert vif"),
    "dark green": ("dunkelgrün", "donkergroen", "vert foncé"),
    "earth green": ("erdgrün", "aardegroen", "vert terre"),
    "olive green": ("olivgrün", "olijfgroen", "vert olive"),
    "sand green": ("sandgrün", "zandgroen", "vert sable"),
    "turquoise": ("türkisfarben", "turkoois", "turquoise"),
    "dark turquoise": ("dunkeltürkisfarben", "donkerturkoois", "turquoise foncé"),
    "bright bluish green": ("leuchtend blaugrün", "felblauwgroen", "vert bleuté vif"),
    "blue": ("blau", "blauw", "bleu"),
    "bright blue": ("leuchtend blau", "felblauw", "bleu vif"),
    "medium blue": ("mittelblau", "middenblauw", "bleu moyen"),
    "light blue": ("hellblau", "lichtblauw", "bleu clair"),
    "light royal blue": ("hellkönigsblau", "lichtkoningsblauw", "bleu roi clair"),
    "dark azure": ("dunkelazurblau", "donkerazuurblauw", "bleu azur foncé"),
    "medium azure": ("mittelazurblau", "middenazuurblauw", "bleu azur moyen"),
    "dark blue": ("dunkelblau", "donkerblauw", "bleu foncé"),
    "earth blue": ("erdblau", "aardeblauw", "bleu terre"),
    "sand blue": ("sandblau", "zandblauw", "bleu sable"),
    "purple": ("lilafarben", "paars", "violet"),
    "dark purple": ("dunkellilafarben", "donkerpaars", "violet foncé"),
    "medium lilac": ("mittelfliederfarben", "middenlila", "lilas moyen"),
    "lavender": ("lavendelfarben", "lavendelkleurig", "lavande"),
    "medium lavender": ("mittellavendelfarben", "middenlavendelkleurig", "lavande moyen"),
    "magenta": ("magentafarben", "magenta", "magenta"),
    "bright reddish violet": ("leuchtend rotviolett", "felroodpaars", "violet rouge vif"),
    "pink": ("rosafarben", "roze", "rose"),
    "bright pink": ("leuchtend rosafarben", "felroze", "rose vif"),
    "light pink": ("hellrosafarben", "lichtroze", "rose clair"),
    "dark pink": ("dunkelrosafarben", "donkerroze", "rose foncé"),
}
TRANSPARENT = ("durchsichtig", "doorzichtig", "transparent")

_GERMAN_ONE = {"m": "en", "f": "e", "n": "es"}
# Dutch colours that take no -e, and how others change before it.
_DUTCH_BARE = ("oranje", "beige", "roze", "magenta", "lila")
_DUTCH = {
    "wit": "witte", "zwart": "zwarte", "grijs": "grijze", "rood": "rode", "geel": "gele",
    "bruin": "bruine", "groen": "groene", "blauw": "blauwe", "paars": "paarse",
    "turkoois": "turkooise", "kleurig": "kleurige", "doorzichtig": "doorzichtige",
}  # fmt: skip
_FRENCH_FEMININE = {"blanc": "blanche", "violet": "violette"}
_FRENCH_BARE = ("orange", "marron", "turquoise", "lavande", "magenta")


def part_phrase(count: int, label: str, language: str) -> str | None:
    """`count` parts called `label`, in the accusative: what one is asked to find.

    >>> part_phrase(2, "transparent red flat tiles 1x2", "de")
    '2 durchsichtige rote Fliesen 1x2'
    >>> part_phrase(1, "dark green brick 2x4", "fr")
    '1 brique vert foncé 2x4'
    >>> part_phrase(1, "green plate 2x4 with handle", "nl") is None
    True
    """
    which = LANGUAGES.index(language)
    color, theme = split_color(label)
    size = SIZE_RE.search(theme)
    if size and theme[size.end() :].strip():
        return None  # "with ...", which no lexicon of names says
    name = (theme[: size.start()] if size else theme).strip().lower()
    noun = next((NOUNS[one][which] for one in _singulars(name) if one in NOUNS), None)
    clear = re.match(r"trans(parent)? ?", color.lower())
    color = color.lower()[clear.end() :] if clear else color.lower()
    if noun is None or (color and color not in COLOR_WORDS):
        return None
    colors = [TRANSPARENT[which]] if clear else []
    colors += [COLOR_WORDS[color][which]] if color else []
    said = noun.one if count == 1 else noun.several
    agreeing = [_agreeing(word, noun.gender, count, language) for word in colors]
    if language == "de" and count == 1:
        said = _GERMAN_ACCUSATIVE.get(said, said)
    words = [said, *agreeing] if language == "fr" else [*agreeing, said]
    return " ".join([str(count), *words, *([size[0]] if size else [])])


def _singulars(name: str) -> list[str]:
    """What the singular of an English name can be."""
    return [name, name.removesuffix("s"), name.removesuffix("es")]


def _agreeing(color: str, gender: str, count: int, language: str) -> str:
    """The colour with the ending that its noun asks for."""
    if language == "de":
        return color + (_GERMAN_ONE[gender] if count == 1 else "e")
    if language == "nl":
        if color.endswith(_DUTCH_BARE) or (gender == "n" and count == 1):
            return color
        end = next(end for end in _DUTCH if color.endswith(end))
        return color.removesuffix(end) + _DUTCH[end]
    if " " in color or color in _FRENCH_BARE:
        return color
    if gender == "f":
        color = _FRENCH_FEMININE.get(color, color if color.endswith("e") else f"{color}e")
    return color if count == 1 or color.endswith("s") else f"{color}s"
