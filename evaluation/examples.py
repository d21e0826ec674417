"""In-context examples: the thesis' fixed ones, and the dynamic choice from the train split (R9).

An example never comes from another split than train and never shares the item's group: its state
group, or the picture it is about; with `example_manuals` other, not the item's manual either.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from core.answers import format_boxes, parse_boxes
from core.errors import UserError
from core.frames import from_norm100
from core.items import Item
from evaluation.prompts import Example, Setting, expected_answer, question
from tasks import EVERY_TASK
from tasks.queries import in_words_of, take_apart

SOURCES = ("fixed", "fixed-train", "dynamic", "none")
OF_TRAIN = ("fixed-train", "dynamic")  # what needs the train rows
Tier = tuple[str, Callable[[Item], bool]]


class Chooser:
    """Picks the examples of items; holds the train split by manual."""

    def __init__(self, train: Sequence[Item], setting: Setting, seed: int = 42):
        self.setting, self.seed = setting, seed
        self._train = [item for item in train if item.split == "train"]
        self._by_manual: dict[str, list[Item]] = defaultdict(list)
        for item in self._train:
            self._by_manual[item.manual_id].append(item)
        if setting.examples in OF_TRAIN and not self._train:
            raise UserError(
                f"--examples {setting.examples}: the build has no train rows; use fixed or none"
            )
        if setting.examples not in SOURCES:
            raise UserError(f"--examples {setting.examples}: one of {', '.join(SOURCES)}")

    def __call__(self, item: Item) -> list[Example]:
        """The item's examples, best last, so that it stands next to the question."""
        if self.setting.examples == "fixed":
            words = take_apart(item.query, item.config).template or "paper"
            return fixed_examples(item.config, self.setting, words)
        if self.setting.examples == "none":
            return []
        if self.setting.examples == "fixed-train":
            return [self._example(found, "fixed_train") for found in self._same_for_all(item)]
        rng = random.Random(f"{self.seed}:{item.id}")
        other = self.setting.example_manuals == "other"
        manual = [] if other else self._by_manual.get(item.manual_id, [])
        if item.is_yes is not None:
            chosen = self._yes_and_no(item, manual, rng)[: self.setting.shots]
        else:
            chosen = _nearest(item, manual, self._train, rng, self.setting.shots, self._allowed)
        return [self._example(found, how) for found, how in chosen]

    def _same_for_all(self, item: Item) -> list[Item]:
        """The first train rows in an order that the seed gives, no two of a group; of states a Yes
        and a No in turn. Only a question about one of them gets the next ones."""
        order = _shuffled(self._train, random.Random(f"{self.seed}:{item.config}"))
        chosen: list[Item] = []
        taken: set[str] = set()
        for other in order:
            if len(chosen) == self.setting.shots:
                break
            in_turn = other.is_yes is None or other.is_yes == (len(chosen) % 2 == 0)
            if in_turn and self._allowed(item, other) and not other.group & taken:
                chosen.append(other)
                taken |= other.group
        return chosen

    def _yes_and_no(
        self, item: Item, manual: Sequence[Item], rng: random.Random
    ) -> list[tuple[Item, str]]:
        """A Yes and a No of one step, of the item's session if possible, in random order."""
        session = [other for other in manual if other.session_id == item.session_id]
        pools = (("same_session", session), ("same_manual", manual), ("other_manual", self._train))
        for how, pool in pools:
            for right in _shuffled(pool, rng):
                if not right.is_yes or not self._allowed(item, right):
                    continue
                wrongs = [
                    other
                    for other in self._by_manual[right.manual_id]
                    if not other.is_yes and other.group & right.group and allowed(item, other)
                ]
                if wrongs:
                    pair = [right, rng.choice(wrongs)]
                    rng.shuffle(pair)
                    return [(other, how) for other in pair]
        return []

    def _allowed(self, item: Item, candidate: Item) -> bool:
        own = item.manual_id == candidate.manual_id
        return allowed(item, candidate) and not (own and self.setting.example_manuals == "other")

    def _example(self, item: Item, how: str) -> Example:
        text = question(item.query, item.config, self.setting)
        return Example(text, expected_answer(item, self.setting), item, how)


def fixed_examples(config: str, setting: Setting, words: str = "paper") -> list[Example]:
    """Table 11.3's two of a task, asked in the words of a query template.

    In the think template the answers get their tags.
    """
    wrap = "<answer>{}</answer>" if setting.template == "think" else "{}"
    return [
        Example(
            query
            if words == "paper"
            else in_words_of(words, query.partition(" Tell me what to do")[0], config),
            wrap.format(_fixed_answer(answer, config, setting)),
            None,
            "fixed",
        )
        for query, answer in EVERY_TASK[config].text.examples[: setting.shots]
    ]


def is_share(frame: str) -> bool:
    """Whether boxes in a frame are shares of width and height, the same in every picture."""
    return re.fullmatch(r"norm\d+", frame) is not None


def _fixed_answer(answer: str, config: str, setting: Setting) -> str:
    """The form that boxes are asked for in; percent stay where only a picture says what they are
    in the frame.
    """
    frame = setting.frame if is_share(setting.frame) else "norm100"
    if not EVERY_TASK[config].text.in_boxes or (setting.boxes, frame) == ("angle", "norm100"):
        return answer
    boxes = [(b.label, from_norm100(b.box, frame, None)) for b in parse_boxes(answer).boxes]
    return format_boxes(boxes, setting.boxes)


def allowed(item: Item, candidate: Item) -> bool:
    """Whether a train item may be shown before another item."""
    return (
        candidate.split == "train"
        and candidate.id != item.id
        and not candidate.group & item.group
        and candidate.config == item.config
    )


def _before(item: Item) -> Callable[[Item], bool]:
    """Earlier in the same session (A28)."""
    number = item.step_num
    return lambda other: (
        other.session_id == item.session_id
        and number is not None
        and other.step_num is not None
        and other.step_num < number
    )


def _tiers(item: Item) -> list[Tier]:
    """Which candidates are better, best first."""
    if not EVERY_TASK[item.config].text.in_boxes:
        return [("previous_step", _before(item)), ("any_step", lambda other: True)]
    same = lambda other: len(other.labels) == len(item.labels)  # noqa: E731
    return [("success", same), ("fallback", lambda other: True)]


def _nearest(
    item: Item,
    manual: Sequence[Item],
    train: Sequence[Item],
    rng: random.Random,
    shots: int,
    may: Callable[[Item, Item], bool] = allowed,
) -> list[tuple[Item, str]]:
    """The steps before, or as many boxes. The same manual first, then any."""
    chosen: list[tuple[Item, str]] = []
    taken: set[str] = set()
    for prefix, pool in (("", manual), ("other_manual_", train)):
        for how, fits in _tiers(item):
            if len(chosen) == shots:
                break
            found = _draw(item, pool, fits, rng, shots - len(chosen), how, taken, may)
            chosen += [(other, prefix + how) for other in found]
    return chosen[::-1]


def _draw(
    item: Item,
    pool: Sequence[Item],
    fits: Callable[[Item], bool],
    rng: random.Random,
    number: int,
    how: str,
    taken: set[str],
    may: Callable[[Item, Item], bool],
) -> list[Item]:
    """Up to `number` fitting candidates whose groups are not taken yet; marks them taken."""
    candidates: Iterable[Item]
    if how == "previous_step":
        candidates = sorted(filter(fits, pool), key=lambda other: -(other.step_num or 0))
    else:
        candidates = _shuffled(pool, rng)
    found: list[Item] = []
    for other in candidates:
        if len(found) == number:
            break
        if fits(other) and may(item, other) and not other.group & taken:
            found.append(other)
            taken |= other.group
    return found


def _shuffled(pool: Sequence[Item], rng: random.Random) -> Iterator[Item]:
    """All of a pool in random order, without the cost of shuffling it: few are looked at."""
    seen: set[int] = set()
    for _ in range(4 * len(pool)):
        index = rng.randrange(len(pool))
        if index not in seen:
            seen.add(index)
            yield pool[index]
    yield from (other for index, other in enumerate(pool) if index not in seen)
