"""The HTML report: tables, warnings, and the best and worst answers of every run with pictures.

One file that needs nothing else: no script, no font, no address. Whatever models wrote is escaped.
"""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from core.answers import parse_boxes
from core.items import Item, picture_bytes
from core.metrics import READ, boxes_norm100
from core.store import write_text
from evaluation.score import Results, Score
from evaluation.standings import honest
from evaluation.tables import LEGEND, Cell, Table
from tasks import EVERY_TASK
from tasks.queries import take_apart
from tasks.task import Answered

PICTURE_WH = (480, 480)
ANSWER_CHARS = 600

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>lego-arta scores</title>
<style>
:root { --page: #fff; --text: #1c1f23; --soft: #5c6670; --line: #d5dade; --panel: #f5f7f8;
  --gold: #0a7d3c; --said: #c2255c; }
@media (prefers-color-scheme: dark) { :root { --page: #15181b; --text: #e6e9ec; --soft: #9aa5af;
  --line: #353c43; --panel: #1d2226; --gold: #3ddc84; --said: #ff6b9d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 80rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
p.soft, .soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--page); }
.mark { display: inline-block; width: 1.1em; text-align: left; }
td:first-child .mark { display: none; }
tr.rule td { border-top: 2px solid var(--soft); }
thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
ul.mind { padding: .8rem 1rem .8rem 2rem; background: var(--panel); border-radius: .4rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
.card { margin: 0; padding: .8rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: .4rem; overflow-wrap: anywhere; font-size: .9rem; }
.card dl { margin: .5rem 0 0; } .card dt { color: var(--soft); font-size: .8rem; }
.card dd { margin: 0 0 .4rem; }
.picture { position: relative; background: #fff; line-height: 0; }
.picture img { width: 100%; height: auto; }
.picture svg { position: absolute; inset: 0; width: 100%; height: 100%; }
rect { fill: none; stroke-width: 3; vector-effect: non-scaling-stroke; }
rect.gold { stroke: #0a7d3c; } rect.said { stroke: #c2255c; stroke-dasharray: 7 4; }
.card.wrong { border: 2px solid var(--said); } .card.right { border: 2px solid var(--gold); }
.mark-on { display: block; padding: .1rem .5rem; line-height: 1.5; font-weight: 600; color: #fff;
  background: #5c6670; }
.wrong .mark-on { background: #c2255c; } .right .mark-on { background: #0a7d3c; }
.key { display: inline-block; width: 1.6em; border-top: 3px solid var(--gold);
  vertical-align: middle; } .key.said { border-top: 3px dashed var(--said); }
</style>
</head>
<body>
"""


def write_report(path: Path, results: Results, tables: Sequence[Table], shown: int) -> None:
    """Write the report; pictures are read from the build that the items came from."""
    parts = [_HEAD, "<h1>lego-arta scores</h1>", _summary(results)]
    parts += [_table(table) for table in tables]
    parts.append(f'<p class="soft">{escape(LEGEND)}</p>')
    for config, items in results.items.items():
        runs = [s for s in honest(results) if s.config == config and not s.baseline]
        if len(runs) > 1:
            parts.append(_together(runs, items, shown))
    for score in results.scores:
        if not score.baseline:
            parts.append(_gallery(score, results.items[score.config], shown))
    parts.append("</body>\n</html>\n")
    write_text(path, "\n".join(parts))


def _summary(results: Results) -> str:
    counts = ", ".join(
        f"{len(items):,} {config} items of {_manuals(items)}"
        for config, items in results.items.items()
    )
    lines = [f"<p>{escape(counts)}.</p>"]
    if results.warnings:
        told = "".join(f"<li>{escape(warning)}</li>" for warning in results.warnings)
        lines.append(f'<ul class="mind">{told}</ul>')
    return "\n".join(lines)


def _manuals(items: Sequence[Item]) -> str:
    number = len({item.manual_id for item in items})
    return f"{number:,} manual" + ("" if number == 1 else "s")


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(part)}</th>' for part in table.head)
    rows = []
    for index, row in enumerate(table.rows):
        rule = ' class="rule"' if index in table.rules else ""
        rows.append(f"<tr{rule}>{''.join(_cell(cell) for cell in row)}</tr>")
    title = escape(table.title)
    return (
        f'<h2>{title}</h2>\n<div class="wide" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{chr(10).join(rows)}</tbody></table></div>"
        + (f'<p class="soft">{escape(table.about)}</p>' if table.about else "")
    )


def _cell(cell: Cell) -> str:
    text = f"<strong>{escape(cell.text)}</strong>" if cell.bold else escape(cell.text)
    return f'<td>{text}<span class="mark">{escape(cell.mark)}</span></td>'


def _gallery(score: Score, items: Sequence[Item], shown: int) -> str:
    """The best and the worst answers of one run, each item group shown once."""
    order = sorted(range(len(items)), key=lambda i: (score.samples[i].goodness, items[i].id))
    best, worst = _distinct(order[::-1], items, shown), _distinct(order, items, shown)
    worst = [index for index in worst if index not in best]
    words = EVERY_TASK[score.config].text
    title = f"{score.label}: {words.title.lower()}, setting {score.setting}"
    key = (
        '<p class="soft"><span class="key"></span> right answer '
        '<span class="key said"></span> the model\'s</p>'
        if words.in_boxes
        else ""
    )
    parts = [f"<h2>{escape(title)}</h2>", key]
    for name, indexes in (("Best", best), ("Worst", worst)):
        cards = "".join(_card(score, items[i], i) for i in indexes)
        parts.append(f'<h3>{name} answers</h3>\n<div class="cards">{cards}</div>')
    return "\n".join(parts)


def _together(runs: Sequence[Score], items: Sequence[Item], shown: int) -> str:
    """The same items answered by all runs, those first on which they differ most."""

    def spread(index: int) -> float:
        goods = [run.samples[index].goodness for run in runs]
        return max(goods) - min(goods)

    order = sorted(range(len(items)), key=lambda i: (-spread(i), items[i].id))
    cards = []
    for index in _distinct(order, items, 2 * shown):
        item = items[index]
        gold = [("gold", b.box) for b in parse_boxes(item.answer).boxes]
        boxes = gold if EVERY_TASK[item.config].text.in_boxes else []
        rows = [("asked", take_apart(item.query, item.config).instruction),
                ("right answer", item.answer)]  # fmt: skip
        for run in runs:
            answer = run.saids[index].answer
            verdict = _verdict(item, run.samples[index])[1]
            rows.append((f"{run.label} {verdict}", _short(answer or "(no answer)")))
        told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
        picture = _picture(item, boxes, f"{len(runs)} answers")
        cards.append(f'<figure class="card">{picture}<dl>{told}</dl></figure>')
    title = f"{EVERY_TASK[items[0].config].text.title}: the same items by all runs"
    return f'<h2>{escape(title)}</h2>\n<div class="cards">{"".join(cards)}</div>'


def _distinct(order: Sequence[int], items: Sequence[Item], shown: int) -> list[int]:
    chosen: list[int] = []
    seen: set[str] = set()
    for index in order:
        if len(chosen) < shown and not items[index].group & seen:
            chosen.append(index)
            seen |= items[index].group
    return chosen


def _card(score: Score, item: Item, index: int) -> str:
    sample, said = score.samples[index], score.saids[index]
    boxes, task = [], EVERY_TASK[item.config]
    if task.text.in_boxes:
        gold = [box.box for box in parse_boxes(item.answer).boxes]
        found = boxes_norm100(parse_boxes(said.answer or ""), said, item.size_wh)
        boxes = [("gold", box) for box in gold] + [("said", box) for box in found]
    answer = said.answer if said.answer is not None else "(no answer)"
    measure = task.score.measure
    measured = [(measure, f"{100 * sample.goodness:.1f}")] if measure else []
    rows = [
        *measured,
        ("asked", take_apart(item.query, item.config).instruction),
        ("right answer", item.answer),
        (f"the model's answer ({sample.status})", _short(answer)),
        ("manual", item.manual_id),
    ]
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    kind, verdict = _verdict(item, sample)
    picture = _picture(item, boxes, verdict)
    return f'<figure class="card {kind}">{picture}<dl>{told}</dl></figure>'


def _verdict(item: Item, sample: Answered) -> tuple[str, str]:
    """(class, what stands on the picture): right, wrong, or in between."""
    if sample.status not in READ:
        return "wrong", f"\u2717 {'no answer' if sample.status == 'missing' else 'not read'}"
    share = EVERY_TASK[item.config].score.verdict(sample)
    if isinstance(share, str):
        return "between", share
    if share == 1:
        return "right", "\u2713 right"
    return ("wrong", "\u2717 wrong") if share == 0 else ("between", "partly right")


def _short(text: str) -> str:
    return text if len(text) <= ANSWER_CHARS else text[:ANSWER_CHARS] + " …"


def _picture(item: Item, boxes: Sequence[tuple[str, Sequence[float]]], verdict: str) -> str:
    """The picture, small, with boxes (percent) drawn over it, and whether the answer is right."""
    image = Image.open(io.BytesIO(picture_bytes(item))).convert("RGB")
    image.thumbnail(PICTURE_WH)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    drawn = "".join(
        f'<rect class="{kind}" x="{x0:.2f}" y="{y0:.2f}" width="{max(x1 - x0, 0):.2f}" '
        f'height="{max(y1 - y0, 0):.2f}"/>'
        for kind, (x0, y0, x1, y1) in boxes
    )
    overlay = (
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{drawn}</svg>' if drawn else ""
    )
    return (
        f'<span class="mark-on">{escape(verdict)}</span>'
        f'<div class="picture"><img alt="picture of {escape(item.id)}" width="{image.width}" '
        f'height="{image.height}" src="data:image/webp;base64,{data}">{overlay}</div>'
    )
