"""Answers in a model's words: what is asked, what is kept, and that a second build asks nothing."""

import collections
import re
import shutil

import pytest
from makers import crawl_folder, saved_site, tiny_manual
from openai_server import question_of, serving
from review_build import MANUALS

from builder import command as build_command
from builder import make
from builder.release import validate
from builder.release.assemble import AssembleOptions, assemble
from builder.release.rewritten import Rewritten, card_text
from builder.rewriting import endpoint, masks, spatial
from builder.rewriting.lines import sentence_of
from builder.stages import BuildOptions, build_manual
from core.build import manifest_of, read_rows
from core.errors import UserError
from core.relations import CONVERSATIONS, read_relations
from core.store import ROWS, rewritten_file
from tasks.mask.diversify import refusal as mask_refusal
from tasks.mask.notes import Seen
from tasks.mask.text import LEVELS
from tasks.spatial.diversify import refusal
from tasks.spatial.text import LINE_BREAK

NAMES = ("yellow brick 2x4", "rest of the model")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A work folder with the rows of two tiny manuals."""
    work = tmp_path_factory.mktemp("rewriting")
    for manual_id in MANUALS:
        crawl_folder(work, tiny_manual().rows[:8], manual_id)
        build_manual(manual_id, BuildOptions(work))
    return work


def asked(body: dict) -> tuple[str, str, str] | None:
    """The two names and the line that a request about a spatial row is about."""
    found = re.search(r"between (.+?) and (.+?): '(.+?)', generate", question_of(body))
    return found and (found[1], found[2], found[3])


def asked_of_mask(body: dict) -> str:
    """The instruction that a request about a mask row is about."""
    return re.match(r"Here is an instruction about a picture: '(.+?)' Say it", question_of(body))[1]


def atop(body: dict) -> str:
    """Other words, told apart by the line: no two rows of a pair may say the same. Instructions of
    masks are said with a verb before them."""
    if asked(body) is None:
        return f"Please look for {asked_of_mask(body)}"
    one, other, line = asked(body)
    return f'"You see one {one}, number {len(line)}, put atop that {other}"'


def rewrite(work, server, **changes) -> dict[str, int]:
    return endpoint.rewrite_all(work, MANUALS, endpoint.Endpoint("tiny", server.url, **changes))


@pytest.mark.parametrize(
    ("new", "old", "why"),
    [
        ("One yellow brick 2x4 atop that rest of the model.",
         "The yellow brick 2x4 is on the rest of the model.", ""),
        ("A yellow brick 2x4 atop it.", "The yellow brick 2x4 is on the rest of the model.",
         "a name is lost"),
        ("One yellow brick 2x4 beneath that rest of the model.",
         "The yellow brick 2x4 is on the rest of the model.", "another relation"),
        ("One yellow brick 2x4 atop that rest of the model, to the left of it.",
         "The yellow brick 2x4 is on the rest of the model.", "another relation"),
        ("See where yellow brick 2x4 sits: it rests on rest of the model.",
         "Look, the yellow brick 2x4 it rests on the rest of the model.", "words kept"),
    ],
)  # fmt: skip
def test_what_is_refused_and_why(new, old, why):
    assert refusal(new, old, NAMES) == why


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a brick is atop it", "A brick is atop it."), ('  "A  brick."\n', "A brick."),
     ("<think>hm\nhm</think>\nA brick.", "A brick."), ("One.\nTwo.", ""), ("", ""), (None, "")],
)  # fmt: skip
def test_an_answer_is_one_sentence(text, sentence):
    assert sentence_of(text) == sentence


def test_every_line_is_asked_with_the_papers_words_and_once(built):
    folders = [built / ROWS / manual_id for manual_id in MANUALS]
    rows = [line for folder in folders for line in spatial.lines_of(folder)]
    with serving() as server:
        server.answer = atop
        counts = rewrite(built, server)["spatial"]
    assert counts["lines"] == len(rows) == 18 and counts["kept"] + sum(
        number for why, number in counts.items() if why.startswith("refused")
    ) == len(rows)  # fmt: skip
    texts = [question_of(body) for body in server.bodies if asked(body)]
    assert len(texts) == len(set(texts)) == len({one.line.asking for one in rows})
    for text in texts:
        assert text.startswith("Given the image and a concise spatial relationship description")
        assert text.endswith("ensuring no consecutive words from the original description remain "
                             "the same.")  # fmt: skip


def test_kept_answers_are_in_the_build_and_a_second_one_asks_nothing(built, tmp_path):
    work = shutil.copytree(built, tmp_path / "w")
    with serving() as server:
        server.answer = atop
        counts = rewrite(work, server)
        first = len(server.bodies)
        said = Rewritten("tiny", server.url, counts)
        options = AssembleOptions(tmp_path / "a", "demo", probe=False, rewritten=said)
        manifest = assemble(list(MANUALS), BuildOptions(work), options)
        assert rewrite(work, server) == counts and len(server.bodies) == first
        url = server.url
    # The server is gone: all that was asked is known.
    shutil.rmtree(rewritten_file(work, "x").parent)
    again = endpoint.rewrite_all(work, MANUALS, endpoint.Endpoint("tiny", url))
    other = AssembleOptions(tmp_path / "b", "demo", probe=False, rewritten=said)
    assert again == counts
    assert assemble(list(MANUALS), BuildOptions(work), other)["files"] == manifest["files"]
    assert manifest["options"]["diversify"] == "endpoint"
    assert manifest["rewritten"] == {"model": "tiny", "base_url": url, "counts": counts}
    assert list(validate.violations(tmp_path / "a")) == []
    plain = assemble(list(MANUALS), BuildOptions(work),
                     AssembleOptions(tmp_path / "c", "demo", probe=False))  # fmt: skip
    assert "rewritten" not in plain and plain["fingerprint"] != manifest["fingerprint"]
    before = {row.id: row.columns for row in read_rows(tmp_path / "c", "spatial")}
    rows = {row.id: row.columns for row in read_rows(tmp_path / "a", "spatial")}
    assert rows.keys() == before.keys()
    kept = {i for i in rows if rows[i]["diversified"]}
    assert len(kept) == counts["spatial"]["kept"] > 6
    for i, row in rows.items():
        if i not in kept:
            assert row == before[i]
            continue
        assert {**row, "answer": "", "diversified": 0} == {**before[i], "answer": "",
                                                           "diversified": 0}  # fmt: skip
        *same, new = row["answer"].split(LINE_BREAK)
        *lines, old = before[i]["answer"].split(LINE_BREAK)
        assert same == lines and new != old
        assert row["subject"]["label"] in new and row["object"]["label"] in new
        assert read_relations(new) == {row["relations"][0]}
        assert CONVERSATIONS[row["conversation_type"]] != "classification"
    card = (tmp_path / "a" / "README.md").read_text()
    assert f"{counts['spatial']['kept']:,} are in the rows" in card and "tiny" in card
    assert f"{counts['mask']['lines']:,} instructions into other words" in card


def test_a_model_that_says_something_else_changes_nothing(built, tmp_path):
    work = shutil.copytree(built, tmp_path / "w")

    def wrong(body: dict) -> str:
        if asked(body) is None:
            line = asked_of_mask(body)
            return [line, f"All but {line}", "The purple plate 9x9.", "Yes."][len(line) % 4]
        one, other, line = asked(body)
        return [line, f"One {one} beneath that {other}.", "Yes.", f"{line}\n{line}"][len(line) % 4]

    with serving() as server:
        server.answer = wrong
        counts = rewrite(work, server)
        said = Rewritten("tiny", server.url, counts)
        options = AssembleOptions(tmp_path / "a", "demo", probe=False, rewritten=said)
        assemble(list(MANUALS), BuildOptions(work), options)
    for config, own in counts.items():
        assert own["kept"] == 0 and sum(own.values()) == 2 * own["lines"] > 0
        assert not any(row.columns["diversified"] for row in read_rows(tmp_path / "a", config))
        assert "0 are in the rows" in card_text(said, config)
    assert {"refused: words kept", "refused: another relation"} <= counts["spatial"].keys()
    assert "refused: words kept" in card_text(said, "spatial")


def test_a_pair_says_nothing_twice(built):
    """The same words for every line of a pair count once."""
    with serving() as server:
        server.answer = lambda body: "One {} atop that {}.".format(*asked(body)[:2])
        work_counts = collections.Counter()
        lines = list(spatial.lines_of(built / ROWS / MANUALS[0]))
        said = {one.line.asking: server.answer({"messages": [{"content": one.line.asking}]})
                for one in lines}  # fmt: skip
        found = endpoint.accepted(lines, said, work_counts)
    assert len(found) == len({one.pair_id for one, _ in found}) == len({o.pair_id for o in lines})
    assert work_counts["refused: said twice"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "--endpoint-model is missing"), (["--endpoint-model", "m"], "--endpoint-url is missing"),
     (["--endpoint-model", "m", "--endpoint-url", "localhost"], "http:// or https://"),
     (["--endpoint-model", "m", "--endpoint-url", "http://x/v1", "--recipe"], "--recipe")],
)  # fmt: skip
def test_what_is_missing_is_told_before_any_work(tmp_path, capsys, options, words):
    command = ["--out", str(tmp_path / "o"), "--work", str(tmp_path / "w"), "--diversify"]
    assert make.main([*command, "endpoint", *options]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error:") and words in said
    assert not (tmp_path / "w").exists()


SEEN = [
    Seen("red", "plate 1x2", 2, True),
    Seen("blue", "brick 2x4", 1, True),
    Seen("blue", "plate 1x2", 1, False),
]
ASKED = "The 2 red plates 1x2 and the blue brick 2x4."


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("Point out the blue brick 2x4 and both red plates 1x2 in the picture.", ""),
        ("Where can I see 2 red plates 1x2 and one blue brick 2x4?", ""),
        ("Point out the red plates 1x2.", "another region"),  # one is lost
        ("Mark 2 red plates 1x2, the blue brick 2x4 and the blue plate 1x2.", "another region"),
        ("Mark 3 red plates 1x2 and the blue brick 2x4.", "another region"),
        ("Mark the plates 1x2 and the blue brick 2x4.", "another region"),  # the blue one as well
        ("Mark 2 red plates 1x2, the blue brick 2x4 and the green arch.", "another region"),
        ("Mark the 2 red plates 1x2 on the blue brick 2x4.", "another relation"),
        ("Mark all but the 2 red plates 1x2 and the blue brick 2x4.", "a negation"),
        ("the 2 red plates 1x2, and the blue brick 2x4", "the same words"),
    ],
)
def test_an_instruction_is_kept_where_its_things_are_those_of_the_mask(new, why):
    assert mask_refusal(new, ASKED, SEEN) == why


def test_instructions_are_asked_that_name_all_of_their_region_and_stay_beside_the_new(
    built, tmp_path
):
    """In a build: only such rows change, the old instruction is still one of the variants, weights
    and quality are those of the build without, and the exporting check finds nothing."""
    work = shutil.copytree(built, tmp_path / "w")
    with serving() as server:
        server.answer = atop
        counts = rewrite(work, server)["mask"]
        told = Rewritten("tiny", server.url, rewrite(work, server))
    lines = [one for i in MANUALS for one in masks.lines_of(work / ROWS / i)]
    assert counts["lines"] == len(lines) and counts["kept"] > 2
    for name, said in (("a", told), ("b", None)):
        options = AssembleOptions(tmp_path / name, "demo", probe=False, rewritten=said)
        assemble(list(MANUALS), BuildOptions(work), options)
    assert list(validate.violations(tmp_path / "a")) == []
    rows, before = (
        {row.id: row.columns for row in read_rows(tmp_path / name, "mask")} for name in "ab"
    )
    kept = {i for i in rows if rows[i]["diversified"]}
    assert len(kept) == counts["kept"] and kept <= {one.line.item.id for one in lines}
    own = ("query", "instruction_variants", "diversified")
    for i, row in rows.items():
        assert {**row, **dict.fromkeys(own)} == {**before[i], **dict.fromkeys(own)}
        if i not in kept:
            assert row == before[i]
            continue
        *old, new = row["instruction_variants"]
        assert old == before[i]["instruction_variants"] and new["text"] == row["query"]
        assert row["query"].startswith("Please look for ") and new["level"] in LEVELS


def test_nobody_at_the_endpoint_is_one_line(built, tmp_path):
    work = shutil.copytree(built, tmp_path / "w", ignore=shutil.ignore_patterns("3_answers"))
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9"):
        endpoint.rewrite_all(work, MANUALS, endpoint.Endpoint("tiny", "http://127.0.0.1:9/v1"))


def test_the_command_builds_with_an_endpoint_and_tells_what_it_kept(tmp_path, capsys):
    for manual_id in MANUALS:
        saved_site(tmp_path / "site", tiny_manual().rows[:8], manual_id)
    with serving() as server:
        server.answer = atop
        command = [
            "--source", str(tmp_path / "site"), "--out", str(tmp_path / "o"), "--no-probe",
            "--work", str(tmp_path / "w"), "--workers", "1", "--diversify", "endpoint",
            "--endpoint-model", "tiny", "--endpoint-url", server.url,
        ]  # fmt: skip
        assert make.main(command) == 0
        told = manifest_of(tmp_path / "o")["rewritten"]
        printed = capsys.readouterr().out
        for config, counts in told["counts"].items():
            lines, kept = counts["lines"], counts["kept"]
            assert f"other words by tiny ({config}): {lines} lines, {kept} kept" in printed
            assert lines >= kept > 0
        asked_before = len(server.bodies)
        written = (tmp_path / "o" / "build.json").stat().st_mtime_ns
        assert make.main(command) == 0
        assert len(server.bodies) == asked_before > 0
    assert (tmp_path / "o" / "build.json").stat().st_mtime_ns == written


def test_the_command_takes_the_endpoint():
    options = build_command.parser().parse_args(
        ["--diversify", "endpoint", "--endpoint-model", "m", "--endpoint-url", "http://x/v1"]
    )
    found = endpoint.endpoint_of(options.endpoint_model, options.endpoint_url, "KEY")
    assert found == endpoint.Endpoint("m", "http://x/v1", "KEY")
