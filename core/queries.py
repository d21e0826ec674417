"""The words of queries (`--templates`): rows are written with them, the benchmark takes them apart.

`paper` are the papers' words to the letter (thesis Tables 6.1 and 11.3), with the token of a task
before them. `readable` quotes instructions whole and is plain English, without tokens.
"""

import re
from typing import NamedTuple

TEMPLATES = ("paper", "readable")
# How an object directive says that boxes are in percent; other frames put their words there.
PERCENT = "normalized to [0,100]"
# What a query says of its row, then the directive that closes it and asks for the answer's form.
_BODIES = {
    "paper": {
        "scene": "[grounding] After I {found}\n",
        "object": "[object] Please identify and highlight the positions of {wanted} ",
        "state": "[state] After I {found} Did I do it correctly for {done} ",
    },
    "readable": {
        "scene": 'I have just done this: "{found}" ',
        "object": 'Find this in the picture: "{wanted}" ',
        "state": 'Was this step done correctly? "{done}" Before it I did this: "{found}" ',
    },
}
DIRECTIVES = {
    "paper": {
        "scene": "Tell me what to do for the current situation. ",
        "object": (
            "Providing the positions in the format: <p>object</p> {<Xleft><Ytop><Xright><Ybottom>}"
            f", with X and Y coordinates {PERCENT}. Xleft and Ytop for the top-left corner. "
            "Xright and Ybottom for the bottom-right corner."
        ),
        "state": "Just tell me Yes or No.",
    },
    "readable": {
        "scene": "What do I do now?",
        "object": (
            "Give each position as <p>object</p> {<Xleft><Ytop><Xright><Ybottom>}, with X and Y "
            f"coordinates {PERCENT}: Xleft and Ytop are the top-left corner, Xright and Ybottom "
            "the bottom-right corner."
        ),
        "state": "Answer with Yes or No.",
    },
}


def query(template: str, config: str, found: str = "", wanted: str = "", done: str = "") -> str:
    """A row's query. `found` and `done` are instructions as sentences, `wanted` names parts.

    >>> query("readable", "scene", found="Find 1 red plate.")
    'I have just done this: "Find 1 red plate." What do I do now?'
    """
    if template == "paper":
        found, done = lower_first(found), lower_first(done)
    body = _BODIES[template][config].format(found=found, wanted=wanted, done=done)
    return body + DIRECTIVES[template][config]


def lower_first(text: str) -> str:
    """First letter lowered, the rest as it is."""
    return text[:1].lower() + text[1:]


class QueryParts(NamedTuple):
    """A query taken apart; `joint` is what stands between instruction and directive."""

    token: str
    instruction: str
    joint: str
    directive: str
    template: str | None  # None for a query in other words, of an imported dataset


def take_apart(text: str, config: str) -> QueryParts:
    """The parts of a row's query; joined again they give it back exactly."""
    match = re.match(r"(\[\w+\])\s", text)
    token = match[1] if match else ""
    rest = text[match.end() :] if match else text
    for template in TEMPLATES:
        directive = DIRECTIVES[template][config]
        if rest.endswith(directive):
            instruction = rest[: -len(directive)]
            bare = instruction.rstrip()
            return QueryParts(token, bare, instruction[len(bare) :], directive, template)
    return QueryParts(token, rest, "", "", None)


def read(text: str, config: str) -> dict[str, str]:
    """What a query says of its row, by the names of `query`; empty for one in other words.

    >>> read("[state] After I find 1 plate. Did I do it correctly for put it there.", "state")
    {'found': 'find 1 plate.', 'done': 'put it there.'}
    """
    said = text.removesuffix(take_apart(text, config).directive).rstrip()
    for template in TEMPLATES:
        body = re.escape(_BODIES[template][config].rstrip())
        match = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*?)", body), said, re.DOTALL)
        if match:
            return match.groupdict()
    return {}


def in_words_of(template: str, text: str, config: str) -> str:
    """A query of the papers, with or without its directive, in the words of another template."""
    said = read(text, config)
    for name in ("found", "done"):  # there they stand within a sentence
        said[name] = said.get(name, "")[:1].upper() + said.get(name, "")[1:]
    return query(template, config, **said) if any(said.values()) else text
