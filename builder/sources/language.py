"""The language a text is written in, from its words and from what its page declares."""

import re
import unicodedata
from collections import Counter

from builder.sources.language_words import WORDS

ENGLISH, UNKNOWN = "en", "und"  # BCP 47
_NAMES = {
    "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "es": "Spanish", "fi": "Finnish",
    "fr": "French", "he": "Hebrew", "hu": "Hungarian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "sv": "Swedish", "th": "Thai", "tr": "Turkish", "zh": "Chinese",
}  # fmt: skip
# Languages by the first word of their letters' Unicode names, where one language uses them.
_SCRIPTS = {
    "CJK": "zh", "GREEK": "el", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KATAKANA": "ja",
    "THAI": "th",
}  # fmt: skip
# A text of so many words that has hardly an English one among them is not English.
_LONG = 12
_ENGLISH_SHARE = 0.08
_SCRIPT_LETTERS = 3


def language_of(text: str, declared: str = "") -> str:
    """The BCP 47 code of a text's language; `declared` is a `lang` attribute, which may be wrong.

    The words decide where they can. Where they can't, as in "2x4" or a name, what is declared
    holds, and English where nothing is.

    >>> language_of("Suche 1 roten Stein 2x4.", "en"), language_of("Find 1 red brick.", "de-DE")
    ('de', 'en')
    >>> language_of("2x4", "en-GB"), language_of("2x4", "de"), language_of("2x4")
    ('en', 'de', 'en')
    """
    declared = primary_subtag(declared)
    other = declared if declared not in ("", ENGLISH) else ""
    script = _script(text)
    if script != "LATIN":
        return other or _SCRIPTS.get(script, UNKNOWN)
    text = unicodedata.normalize("NFC", text).lower()
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 1]
    hits = {code: sum(word in known for word in words) for code, known in WORDS.items()}
    english = hits.pop(ENGLISH)
    best = max(hits, key=lambda code: (hits[code], code == declared))
    if _decides(hits[best], english, len(words)):
        return best
    if _decides(english, hits[best], len(words)):
        return ENGLISH
    if len(words) >= _LONG and english < _ENGLISH_SHARE * len(words):
        return other or UNKNOWN
    return declared or ENGLISH


def primary_subtag(tag: str) -> str:
    """The language of a `lang` attribute: "en" of "en-GB"; empty if there is none.

    >>> primary_subtag(" EN_us "), primary_subtag("x-default"), primary_subtag("")
    ('en', '', '')
    """
    match = re.match(r"\s*([a-z]{2,3})(?![a-z])", tag, re.IGNORECASE)
    code = match[1].lower() if match else ""
    return {"eng": "en", "deu": "de", "ger": "de", "nb": "no", "nn": "no"}.get(code, code)


def name_of(code: str) -> str:
    """The English name of a language, or its code where the name is not known here.

    >>> name_of("de"), name_of("eu"), name_of("und")
    ('German', 'eu', 'an unknown language')
    """
    return "an unknown language" if code == UNKNOWN else _NAMES.get(code, code)


def reason_of(what: str, code: str) -> str:
    """The reason of a drop: "manual_in_German"."""
    return f"{what}_in_{name_of(code).replace(' ', '_')}"


def _decides(hits: int, others: int, words: int) -> bool:
    """Whether so many words of one language, beside those of another, leave no doubt."""
    return hits > others and (hits >= 3 or (hits == 2 and words < 4))


def _script(text: str) -> str:
    """The first word of most letters' Unicode names, such as LATIN; a sign or two are no text."""
    kinds = Counter(unicodedata.name(c, "LATIN").split()[0] for c in text if c.isalpha())
    if kinds.total() - kinds["LATIN"] < _SCRIPT_LETTERS:
        return "LATIN"
    if kinds["HIRAGANA"] or kinds["KATAKANA"]:
        kinds["HIRAGANA"] += kinds["CJK"] + kinds["KATAKANA"]
    return max(kinds, key=lambda kind: kinds[kind], default="LATIN")
