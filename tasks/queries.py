"""The words of queries (`--templates`): rows are written with them, the benchmark takes them apart.

`paper` are the papers' words to the letter (thesis Tables 6.1 and 11.3), with the token of a task
before them. `readable` quotes instructions whole and is plain English, without tokens.
"""

import re
from typing import NamedTuple

from tasks import EVERY_TASK

TEMPLATES = ("paper", "readable")


IN_SENTENCES = ("found", "done")  # instructions, which stand within a sentence of the papers


def query(template: str, config: str, **said: str) -> str:
    """A row's query. `found` and `done` are instructions as sentences, `wanted` names parts.

    >>> query("readable", "scene", found="Find 1 red plate.")
    'I have just done this: "Find 1 red plate." What do I do now?'
    """
    if template == "paper":
        said |= {name: lower_first(said[name]) for name in IN_SENTENCES if name in said}
    words = EVERY_TASK[config].text
    return words.bodies[template].format(**said) + words.directives[template]


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
    directives = EVERY_TASK[config].text.directives
    # The longest first: one of them may be empty, and every text ends with that.
    for template in sorted(TEMPLATES, key=lambda name: -len(directives[name])):
        directive = directives[template]
        if rest.endswith(directive):
            instruction = rest.removesuffix(directive)
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
        body = re.escape(EVERY_TASK[config].text.bodies[template].rstrip())
        match = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*?)", body), said, re.DOTALL)
        if match:
            return match.groupdict()
    return {}


def in_words_of(template: str, text: str, config: str) -> str:
    """A query of the papers, with or without its directive, in the words of another template."""
    said = read(text, config)
    said |= {n: said[n][:1].upper() + said[n][1:] for n in IN_SENTENCES if n in said}
    return query(template, config, **said) if any(said.values()) else text
