"""What a source says of its pictures and texts: whose they are, and on what terms.

Every source says its terms (`source.py`); the manifest of a build keeps them, and the card, the
metadata and a recipe take them from there. Who knows more of a saved site than the site itself says
so on the command line (`stated`).
"""

import re

import msgspec

from core.errors import UserError

UNKNOWN, OTHER, FAIR_PLAY = "unknown", "other", "lego-fair-play"
FAIR_PLAY_URL = "https://www.lego.com/en-nl/legal/notices-and-policies/fair-play/"
_CC = (
    "by-2.0 by-2.5 by-3.0 by-4.0 by-nc-2.0 by-nc-3.0 by-nc-4.0 by-nc-nd-3.0 by-nc-nd-4.0 "
    "by-nc-sa-2.0 by-nc-sa-3.0 by-nc-sa-4.0 by-nd-4.0 by-sa-3.0 by-sa-4.0"
)
# Identifiers that the Hub knows, and where the text of each stands.
ADDRESSES = {
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cdla-permissive-1.0": "https://cdla.dev/permissive-1-0/",
    "cdla-permissive-2.0": "https://cdla.dev/permissive-2-0/",
    "cdla-sharing-1.0": "https://cdla.dev/sharing-1-0/",
    "mit": "https://opensource.org/license/mit",
    "odbl": "https://opendatacommons.org/licenses/odbl/1-0/",
    "odc-by": "https://opendatacommons.org/licenses/by/1-0/",
    "pddl": "https://opendatacommons.org/licenses/pddl/1-0/",
    **{
        f"cc-{name}": f"https://creativecommons.org/licenses/{'/'.join(name.rsplit('-', 1))}/"
        for name in _CC.split()
    },
}
OURS = (
    "What lego-arta adds (boxes, queries, splits, code) is Apache-2.0. LEGO is a trademark of the "
    "LEGO Group, which does not sponsor, authorise or endorse this dataset."
)


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`description` says what manuals they are, `attribution` whose and on what terms, in Markdown.

    `licence` is the Hub's identifier: `other` with a name and an address, or `unknown`.
    """

    description: str
    licence: str
    attribution: str
    licence_name: str | None = None
    licence_url: str | None = None

    @property
    def name(self) -> str:
        """The licence in a word: the Hub's, or its own where the Hub has none."""
        return self.licence_name or self.licence


def lego(description: str) -> Terms:
    """The terms of the LEGO Group's own manuals."""
    return Terms(
        description,
        OTHER,
        "Pictures and texts are the LEGO Group's and are used for non-commercial research under "
        f"its [fair-play terms]({FAIR_PLAY_URL}); whoever uses or passes on this dataset has to "
        f"keep to them. {OURS}",
        FAIR_PLAY,
        FAIR_PLAY_URL,
    )


def unknown(description: str) -> Terms:
    """The terms of what nobody has said anything about."""
    return Terms(
        description,
        UNKNOWN,
        "**Not known.** Nobody has stated whose the pictures and texts are, nor on what terms they "
        "may be used: find that out before you publish them or pass them on. (`--licence` and "
        f"`--attribution` of `lego-arta build` state it.) {OURS}",
    )


UNSTATED = unknown("manuals of a source that was not named")


def stated(
    terms: Terms, licence: str | None, licence_url: str | None, attribution: str | None
) -> Terms:
    """The terms with what the command line states of a source that says nothing itself.

    Raises `UserError` where the source does say, and for a licence that nobody can look up.
    """
    given = {"--licence": licence, "--licence-url": licence_url, "--attribution": attribution}
    options = [option for option, value in given.items() if value is not None]
    if not options:
        return terms
    if terms.licence != UNKNOWN:
        raise UserError(
            f"{options[0]}: the terms of {terms.description} are known ({terms.name}); leave it out"
        )
    for option in options:
        if not (given[option] or "").strip():
            raise UserError(f"{option}: it is empty; say what is to stand in the card")
    if licence is None and licence_url is not None:
        raise UserError(f"--licence-url {licence_url}: of which licence? give --licence NAME too")
    whose = " ".join((attribution or "").split())
    if licence == FAIR_PLAY:
        fair_play = lego(terms.description)
        whole = f"{whose} {fair_play.attribution}".strip()
        return msgspec.structs.replace(fair_play, attribution=whole)
    return _with_licence(terms, licence, licence_url, whose)


def _with_licence(terms: Terms, licence: str | None, url: str | None, whose: str) -> Terms:
    whose = whose or "Nobody has stated whose the pictures and texts are."
    if licence is None:
        said = "Their licence is **not known**: ask before you publish them or pass them on."
        return msgspec.structs.replace(terms, attribution=f"{whose} {said} {OURS}")
    name = " ".join(licence.split())
    known = ADDRESSES.get(name.lower())
    if url is not None and not re.fullmatch(r"https?://\S+", url):
        raise UserError(f"--licence-url {url}: not a web address; give the licence's own page")
    if not (known or url):
        raise UserError(
            f"--licence {name}: not one that the Hub knows by name; give one such as cc-by-4.0 or "
            f"{FAIR_PLAY}, or say with --licence-url where it stands"
        )
    said = f"Their licence, as whoever made this build states: [{name}]({url or known})."
    return Terms(
        terms.description,
        name.lower() if known else OTHER,
        f"{whose} {said} {OURS}",
        None if known else re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-"),
        url or known,
    )
