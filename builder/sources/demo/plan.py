"""Decides what the demo source's sets and manuals are; nothing is drawn or written here.

Everything follows from (seed, index) alone, so manual 7 is the same in a site of 8 and of 1,000.
"""

import random
import re
from dataclasses import dataclass, replace

from builder.sources.demo import builds
from builder.sources.demo.brick_parts import BACKGROUNDS, RGB
from builder.sources.demo.builds import Step

FIRST_SET = 90000
SETS_A_ROUND, MANUALS_A_ROUND = 5, 6  # the last set of a round has an a and a b manual
NO_OUTLINE_EVERY, NO_OUTLINE_AT = 6, 3  # manuals 3, 9, 15, ... draw no outlines
TURNED_SHARE = 0.35  # of the manuals: the first sub-assembly is turned round in the middle
FILE_STYLES = ("sm", "plain", "padded")

ADJECTIVES = (
    "Little Old Sunny Harbour Hill Forest Winter Corner River Market Village Castle Desert Island "
    "Summer Royal Secret Mountain Seaside Garden Lakeside Northern Festival Toy Country"
).split()
NOUNS: dict[str, tuple[str, ...]] = {
    "tower": ("Tower", "Watchtower", "Lighthouse", "Chimney", "Lookout"),
    "wall": ("Wall", "Gate", "Fence", "Bridge", "Platform"),
    "stairs": ("Stairs", "Podium", "Ramp", "Grandstand"),
    "house": ("House", "Hut", "Shop", "Garage", "Stable"),
    "park": ("Park", "Terrace", "Stage", "Playground", "Market Place"),
    "monument": ("Monument", "Fountain", "Statue", "Shrine"),
}


@dataclass(frozen=True)
class SetPlan:
    """One set: its number, title, and the (noun, model) pairs its manuals may build."""

    number: str
    adjective: str
    nouns: tuple[tuple[str, str], ...]
    letters: tuple[str, ...]

    @property
    def title(self) -> str:
        """Title of the set: it names what each of its manuals ends with."""
        return f"{self.adjective} {' & '.join(self.nouns[i * 3][0] for i in range(self.parts))}"

    @property
    def parts(self) -> int:
        """How many manuals the set has when all are drawn."""
        return len(self.letters)

    @property
    def page(self) -> str:
        """Path of the set page under the site."""
        return f"lego-{self.number}-{_slug(self.title)}/"

    def manual_title(self, part: int) -> str:
        """Title of the set's manual number `part`."""
        return f"{self.adjective} {self.nouns[part * 3][0]}"

    def manual_id(self, part: int) -> str:
        """Slug of the set's manual number `part`."""
        letter = f"{self.letters[part]}-" if self.letters[part] else ""
        return f"lego-{self.number}-{letter}{_slug(self.manual_title(part))}-readscr"


@dataclass(frozen=True)
class SessionPlan:
    """One sub-assembly: how it is called, named on disk, seen and built.

    Before step `turned_at`, counted from 0, the model is turned round; None: never.
    """

    sign: str
    title: str
    boundary: RGB | None
    angles_deg: tuple[float, float]
    steps: tuple[Step, ...]
    turned_at: int | None = None


@dataclass(frozen=True)
class ManualPlan:
    """All that is decided of a manual before anything is drawn."""

    index: int
    seed: int
    manual_id: str
    set_plan: SetPlan
    part: int
    background: RGB
    file_style: str
    has_highlights: bool
    intro: bool
    start: bool
    sessions: tuple[SessionPlan, ...]


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _set_of(index: int) -> tuple[int, int]:
    """(set number counted from 0, manual of that set) of manual `index`."""
    turn, rest = divmod(index, MANUALS_A_ROUND)
    part = max(0, rest - (SETS_A_ROUND - 1))
    return turn * SETS_A_ROUND + min(rest, SETS_A_ROUND - 1), part


def plan_set(seed: int, index: int) -> tuple[SetPlan, int]:
    """The set of manual `index`, and which of the set's manuals it is. Cheap: nothing is built."""
    number, part = _set_of(index)
    rng = random.Random(f"{seed}:set:{number}")
    models = rng.sample(list(NOUNS), len(NOUNS))
    nouns = tuple((rng.choice(NOUNS[model]), model) for model in models)
    letters = ("a", "b") if number % SETS_A_ROUND == SETS_A_ROUND - 1 else ("",)
    return SetPlan(str(FIRST_SET + number), rng.choice(ADJECTIVES), nouns, letters), part


def manual_id_of(index: int, seed: int) -> str:
    """The id `draw_manual(root, index, seed)` gives, without drawing."""
    set_plan, part = plan_set(seed, index)
    return set_plan.manual_id(part)


def plan_manual(index: int, seed: int) -> ManualPlan:
    """Decide and build a manual; the same (index, seed) gives the same plan anywhere."""
    set_plan, part = plan_set(seed, index)
    rng = random.Random(f"{seed}:{index}")
    azimuth = rng.choice((1, 1, -1)) * rng.uniform(25, 35)
    angles = (round(azimuth, 1), round(rng.uniform(29, 36), 1))
    highlights = index % NO_OUTLINE_EVERY != NO_OUTLINE_AT
    # the main model, which the title names, is built last
    nouns = set_plan.nouns[part * 3 : part * 3 + rng.choice((2, 3, 3))][::-1]
    sessions = tuple(_plan_session(rng, noun, model, angles, highlights) for noun, model in nouns)
    # Chosen apart, so that all else of the manual is as it would be without.
    if random.Random(f"{seed}:{index}:turn").random() < TURNED_SHARE:
        sessions = (_turned(sessions[0]), *sessions[1:])
    return ManualPlan(
        index=index,
        seed=seed,
        manual_id=set_plan.manual_id(part),
        set_plan=set_plan,
        part=part,
        background=rng.choice(BACKGROUNDS),
        file_style=rng.choice(FILE_STYLES),
        has_highlights=highlights,
        intro=rng.random() < 0.4,
        start=part == 0 and rng.random() < 0.5,  # Start.png would clash within a set
        sessions=sessions,
    )


def _plan_session(
    rng: random.Random, noun: str, model: str, angles: tuple[float, float], highlights: bool
) -> SessionPlan:
    colours = builds.pick_colours(rng)
    boundary = builds.pick_boundary(rng, colours)
    count = rng.choice((4, 5, 5, 6, 6, 7))
    steps = builds.build(rng, builds.MODELS[model], count, colours, angles)
    return SessionPlan(_slug(noun), noun.lower(), boundary if highlights else None, angles, steps)


def _turned(session: SessionPlan) -> SessionPlan:
    """The session turned round in its second half, if all later parts can be seen then."""
    for at in range(len(session.steps) // 2, len(session.steps)):
        if builds.seen_turned(session.steps, at, session.angles_deg):
            return replace(session, turned_at=at)
    return session
