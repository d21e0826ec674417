"""The HTML report of a review: verdict, means, agreement, raters, plots, disputed samples.

One file without scripts and addresses. Names and comments come from raters and are escaped.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from core.store import writing
from review import plots, score
from review.criteria import HOLDS, Rating
from review.results import Key, Rater

FOLDER = Path(__file__).parent
Pictured = tuple[dict[str, Any], list[bytes]]


def write_report(
    path: Path,
    found: Mapping[str, Any],
    key: Key,
    task: Rating,
    raters: Sequence[Rater],
    pictured: Pictured | None,
) -> None:
    """Write the report; `pictured` is the page (`page.read_page`), None to leave pictures out."""
    counted = [rater for rater in raters if rater.counted]
    parts = [
        f"<h1>Review: {escape(task.title.lower())}</h1>",
        _verdict(found, len(counted), len(raters)),
        _raters(found),
    ]
    if counted:
        parts += [_criteria(found), _plots(found)]
    if len(counted) > 1 and not task.several:
        parts += [_biases(found, task), _pairs(found, counted)]
    if len(counted) > 1:
        parts.append(_disputed(found, task, pictured))
    parts.append(_comments(score.comments(key, raters)))
    head = (FOLDER / "report.html").read_text(encoding="utf-8")
    with writing(path) as temporary:
        temporary.write_text(head + "\n".join(parts) + "\n</main></body></html>\n", "utf-8")


def _verdict(found: Mapping[str, Any], counted: int, all_: int) -> str:
    told = f"<p>{found['samples']} samples, {counted} of {all_} raters counted.</p>"
    rule = found["acceptance"]
    if rule is None:
        return told + "<p>The paper’s rule needs two raters and is not for screening.</p>"
    lines = "".join(
        f'<li class="{"pass" if r["passed"] else "fail"}">{escape(r["rule"])}: '
        f"{escape(_title(found, r['criterion']))}, {escape(r['found'])}: "
        f"<b>{'pass' if r['passed'] else 'fail'}</b></li>"
        for r in rule["rules"]
    )
    word = "Pass" if rule["passed"] else "Fail"
    return (
        f'<p class="verdict {word.lower()}">{word}</p>{told}<ul>{lines}</ul>'
        '<p class="soft">The paper asks for a kappa above 0.6 and a quality of “acceptable” or '
        "better. It gives no number for the second; the middle of the scale is taken.</p>"
    )


def _title(found: Mapping[str, Any], criterion: str) -> str:
    """What a rule is about: a criterion, or all of them together."""
    own = found["criteria"].get(criterion)
    return str(own["title"]) if own else criterion


def _estimate(value: Mapping[str, Any] | None, signed: bool = False) -> str:
    if value is None or value["value"] is None:
        return '<td class="soft">–</td>'
    form = "{:+.2f}" if signed else "{:.2f}"
    if value["low"] is None:  # too few samples for an interval
        return f"<td>{form.format(value['value'])}</td>"
    low, high = form.format(value["low"]), form.format(value["high"])
    return f'<td>{form.format(value["value"])} <span class="soft">{low} to {high}</span></td>'


def _table(
    title: str, head: Sequence[str], rows: Sequence[str], note: str = "", tag: str = "h2"
) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    told = f'<p class="soft">{escape(note)}</p>' if note else ""
    return (
        f'<{tag}>{escape(title)}</{tag}>{told}<div class="wide" tabindex="0" role="region" '
        f'aria-label="{escape(title)}"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _raters(found: Mapping[str, Any]) -> str:
    rows = []
    for rater in found["raters"]:
        told = "; ".join([*rater["problems"], *rater["notes"]])
        checks = f"{rater['checks_right']} of {rater['checks_all']}" if rater["checks_all"] else "–"
        rows.append(
            f'<tr><th scope="row">{escape(rater["name"])}</th>'
            f"<td>{'yes' if rater['counted'] else '<b>no</b>'}</td><td>{checks}</td>"
            f"<td>{rater['median_s']:.1f} s</td><td>{rater['minutes']:.0f}</td>"
            f'<td>{rater["cant_tell"]}</td><td class="told">{escape(told)}</td></tr>'
        )
    head = ("rater", "counted", "checks right", "median time", "minutes", "can’t tell", "remarks")
    return _table("Raters", head, rows)


def _biases(found: Mapping[str, Any], task: Rating) -> str:
    rows = []
    for rater in found["raters"]:
        if not rater["counted"]:
            continue
        cells = []
        for criterion in task.criteria:
            own = rater["criteria"][criterion.name]
            cells += [
                _estimate(own["mean"]),
                _estimate(own["bias"], signed=True),
                _estimate(own["drift"], signed=True),
            ]
        rows.append(f'<tr><th scope="row">{escape(rater["name"])}</th>{"".join(cells)}</tr>')
    head = ["rater"]
    for criterion in task.criteria:
        head += [f"{criterion.title}: mean", "bias", "drift"]
    return _table(
        "Bias and drift",
        head,
        rows,
        "Bias: mean distance from the other raters on the same samples, above 0 is milder. Drift: "
        "change of that distance from the first sample to the last. Each with a 95 % interval.",
    )


def _criteria(found: Mapping[str, Any]) -> str:
    rows = []
    for criterion in found["criteria"].values():
        counts = ", ".join(
            f"{number} {label}"
            for number, label in zip(criterion["counts"], criterion["labels"], strict=True)
        )
        same = "–" if criterion["same"] is None else f"{criterion['same']:.0%}"
        rows.append(
            f'<tr><th scope="row">{escape(criterion["title"])}</th>'
            f"<td>0 to {criterion['scale'][1]}</td>{_estimate(criterion['mean'])}"
            f"{_estimate(criterion['fleiss'])}{_estimate(criterion['cohen'])}"
            f"{_estimate(criterion['cohen_weighted'])}<td>{same}</td>"
            f'<td class="told">{escape(counts)}, {criterion["cant_tell"]} can’t tell</td></tr>'
        )
    if found["holds"]:
        together = found["holds"]
        rows.append(
            '<tr><th scope="row">All words together</th><td>0 to 1</td>'
            f"{_estimate(None)}{_estimate(together['fleiss'])}{_estimate(None)}{_estimate(None)}"
            "<td>–</td><td></td></tr>"
            '<tr><th scope="row">The rows’ own word holds</th><td>0 to 1</td>'
            f"{_estimate(together['confirmed'])}{_estimate(None) * 3}<td>–</td><td></td></tr>"
        )
    head = ("criterion", "scale", "mean", "Fleiss’ kappa", "Cohen’s kappa, mean of pairs",
            "weighted (linear)", "pairs that agree", "scores")  # fmt: skip
    return _table(
        "Scores and agreement",
        head,
        rows,
        "95 % intervals by resampling samples. Fleiss’ kappa is over samples that everybody could "
        "judge. Kappa is low, or not defined, where nearly all scores are the same: look at the "
        "share of pairs that agree too.",
    )


def _plots(found: Mapping[str, Any]) -> str:
    drawn = []
    if plots.kappa_rows(found):
        drawn.append(("Kappas", plots.kappas(found)))
    drawn += [
        ("Scores by rater", plots.chosen(found) if found["holds"] else plots.scores(found)),
        ("Over time", plots.over_time(found)),
    ]
    return "".join(
        f'<h2>{title}</h2><div class="wide plots" tabindex="0" role="region" '
        f'aria-label="{title}">{svg}</div>'
        for title, svg in drawn
    )


def _pairs(found: Mapping[str, Any], counted: Sequence[Rater]) -> str:
    tables = []
    for criterion in found["criteria"].values():
        for kind, name in (("cohen_pairs", ""), ("cohen_weighted_pairs", ", weighted")):
            rows = []
            for rater, values in zip(counted, criterion[kind] or [], strict=False):
                cells = "".join(
                    f"<td>{'–' if value is None else f'{value:.2f}'}</td>" for value in values
                )
                rows.append(f'<tr><th scope="row">{escape(rater.name)}</th>{cells}</tr>')
            if rows:
                head = ["rater", *(rater.name for rater in counted)]
                tables.append(
                    f"<div>{_table(criterion['title'] + name, head, rows, tag='h3')}</div>"
                )
    return f'<h2>Cohen’s kappa of every pair</h2><div class="pairs">{"".join(tables)}</div>'


def _disputed(found: Mapping[str, Any], task: Rating, pictured: Pictured | None) -> str:
    if not found["disputed"]:
        return "<h2>Disputed samples</h2><p>None: everybody agrees on every sample.</p>"
    items = {item["id"]: item for item in pictured[0]["items"]} if pictured else {}
    cards = []
    for one in found["disputed"]:
        lines = _chosen(one, task) if task.several else []
        for criterion in () if task.several else task.criteria:
            said = one["scores"][criterion.name]
            told = ", ".join(
                f"{name}: {criterion.labels[s - 1] if s else 'can’t tell'}"
                for name, s in said.items()
            )
            lines.append(f"<dt>{escape(criterion.title)}</dt><dd>{escape(told)}</dd>")
        lines += [
            f"<dt>{escape(name)} says</dt><dd>{escape(text)}</dd>"
            for name, text in one["comments"].items()
        ]
        item = items.get(one["sample"])
        shown = _pictures(item, *pictured) if item and pictured else ""
        text = f"<p>{escape(item['text'])}</p>" if item else ""
        cards.append(
            f"<article><h3>{one['sample']}</h3>{shown}{text}<dl>{''.join(lines)}</dl></article>"
        )
    return f'<h2>Disputed samples</h2><div class="cards">{"".join(cards)}</div>'


def _chosen(one: Mapping[str, Any], task: Rating) -> list[str]:
    """Of words of which several may hold: those that each rater chose."""
    raters = list(one["scores"][task.criteria[0].name])
    lines = []
    for name in raters:
        said = {c.title: one["scores"][c.name][name] for c in task.criteria}
        words = [title for title, score in said.items() if score == HOLDS]
        told = " and ".join(words) or ("none" if any(said.values()) else "can’t tell")
        lines.append(f"<dt>{escape(name)}</dt><dd>{escape(told)}</dd>")
    return lines


def _pictures(item: Mapping[str, Any], page: Mapping[str, Any], pictures: Sequence[bytes]) -> str:
    titles = page.get("titles") or ("Evaluating image", "Reference image")  # older pages have none
    width, height = item["size"]
    parts = []
    for place, number in enumerate(item["pictures"]):
        data = base64.b64encode(pictures[number]).decode()
        boxes = "".join(
            '<rect class="box-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'.format(
                index, *box["px"][:2], box["px"][2] - box["px"][0], box["px"][3] - box["px"][1]
            )
            for index, box in enumerate(item["boxes"] if place == 0 else ())
        )
        name = titles[place].lower()
        parts.append(
            f'<div class="picture"><img alt="{name}" src="data:image/webp;base64,{data}">'
            f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{boxes}</svg></div>'
        )
    return f'<div class="pictures">{"".join(parts)}</div>'


def _comments(said: Sequence[tuple[str, str, str]]) -> str:
    if not said:
        return ""
    rows = [
        f'<tr><th scope="row">{escape(sample)}</th><td class="told">{escape(rater)}</td>'
        f'<td class="told">{escape(text)}</td></tr>'
        for sample, rater, text in said
    ]
    return _table("Comments", ("sample", "rater", "comment"), rows)
