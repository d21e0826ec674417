"""Pages and the gallery in a real browser: Chromium from the system, driven by Playwright."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from raters import careful, key_of, ratings, truth_of
from review_build import HOSTILE, MANUALS, Folder, made
from spatial_build import contradicting

from core.records import dump
from core.selection import is_selection, read_selection
from review import command as review
from review import gallery, page, results, rows
from review.criteria import RATINGS
from review.questions import NamedBox, Question
from review.rows import as_webp

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

pytestmark = pytest.mark.browser
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Folder:
    return Folder(tmp_path_factory.mktemp("review"))


class Tab:
    """A page in a browser of its own, with all that it said and asked for."""

    def __init__(self, browser, file: Path, viewport=DESKTOP, scheme="light"):
        self.context = browser.new_context(
            viewport=viewport, color_scheme=scheme, accept_downloads=True
        )
        self.context.clock.install()
        self.file, self.said, self.asked = file, [], []
        self.open()

    def open(self) -> None:
        """A new tab on the file; the browser and what it keeps stay."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url.split(":")[0]))
        self.page.goto(self.file.as_uri())

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, seconds: float) -> None:
        """Time goes by on the page's clocks."""
        self.page.clock.run_for(seconds * 1000)

    def where(self) -> str:
        return self.page.inner_text("#where")

    def begin(self, name: str = "Ann") -> None:
        """By keyboard alone: to the field, a name, Enter."""
        while self.page.evaluate("document.activeElement.id") != "rater":
            self.keys("Tab")
        self.page.keyboard.type(name)
        self.keys("Enter")

    def saved(self, *keys: str) -> bytes:
        """The file that these keys save."""
        with self.page.expect_download() as download:
            self.keys(*keys)
        return Path(download.value.path()).read_bytes()

    def answers(self) -> dict:
        """What the browser keeps."""
        kept = self.page.evaluate("Object.values(localStorage).map(JSON.parse)")
        return kept[0]["answers"] if kept else {}

    def item(self, data: dict) -> dict:
        """The sample on the screen, wherever this rater began."""
        offset = self.page.evaluate("JSON.parse(Object.values(localStorage)[0]).offset")
        position = int(self.where().split()[1]) - 1
        return data["items"][(position + offset) % len(data["items"])]

    def close(self) -> None:
        """Nothing was said on the console and nothing asked of a network."""
        assert self.said == []
        assert set(self.asked) <= {"file", "data", "blob"}
        self.context.close()


def test_a_whole_session_by_keyboard_with_a_reload_and_a_crash(built, browser, tmp_path):
    """Rate everything, lose the tab twice, save, score: every answer is what was pressed."""
    file = tmp_path / "object.html"
    data, key, _ = made(built, file, "object", "--n", 5)
    tab = Tab(browser, file)
    tab.begin()
    pressed: dict[str, dict] = {}
    for number in range(8):
        assert tab.where() == f"Sample {number + 1} of 8"
        name = tab.item(data)["id"]
        # Check questions as the tutorial says, so that the rater counts.
        scores = key.items[name].known or {"precision": 1 + number % 3, "clearness": 3}
        pressed[name] = dict(scores)
        tab.wait(12)
        tab.keys(*(str(scores[c.name]) for c in RATINGS["object"].criteria))
        if number == 2:
            tab.keys("c")
            tab.page.keyboard.type("1 or 2?")
            tab.keys("Escape")
            tab.page.reload()
            assert tab.where() == "Sample 3 of 8"
            assert tab.page.input_value("#comment") == "1 or 2?"
            assert tab.page.locator("#rating input:checked").count() == 2
        if number == 4:
            with tab.page.expect_event("crash"):
                _crash(tab.page)
            tab.page.close()
            tab.open()
            assert tab.where() == "Sample 5 of 8"
            assert tab.answers().keys() == pressed.keys()
        tab.keys("ArrowRight")
    assert tab.page.inner_text("#end-title") == "Done, thank you"
    while tab.page.evaluate("document.activeElement.id") != "download":
        tab.keys("Tab")
    (tmp_path / "ann.json").write_bytes(tab.saved("Enter"))
    tab.close()
    result = results.read_result(tmp_path / "ann.json", key, RATINGS["object"])
    assert result.complete and result.rater == "Ann"
    assert {name: answer.scores for name, answer in result.answers.items()} == pressed
    assert [a.comment for a in result.answers.values() if a.comment] == ["1 or 2?"]
    assert all(11_000 < answer.ms < 14_000 for answer in result.answers.values())
    command = ["score", str(tmp_path / "ann.json"), "--out", str(tmp_path / "scores")]
    assert review.main(command) == 0
    found = json.loads((tmp_path / "scores" / "review.json").read_text())
    assert found["raters"][0]["counted"] and found["raters"][0]["checks_right"] == 6
    assert {one["row"] for one in found["judgements"]} == {
        item.row for item in key.items.values() if item.row
    }


def _crash(tab) -> None:
    try:
        tab.goto("chrome://crash", timeout=10_000)
    except sync_api.Error:
        pass  # it never answers


def test_a_state_is_swapped_zoomed_and_contradictions_are_told(built, browser, tmp_path):
    data, _, _ = made(built, tmp_path / "p.html", "state", "--n", 3)
    tab = Tab(browser, tmp_path / "p.html")
    tab.begin()
    captions = tab.page.locator("#stage figcaption")
    assert captions.all_inner_texts() == ["Evaluating image", "Reference image"]
    tab.keys("s")
    assert captions.all_inner_texts() == ["Reference image", "Evaluating image"]
    tab.keys("s", "z")
    frame = tab.page.locator(".frame").first
    inside = frame.evaluate("f => [f.clientWidth, f.firstElementChild.offsetWidth]")
    assert inside[1] > 1.4 * inside[0]
    # Scrolled together, so that both show the same place.
    frame.evaluate("f => { f.scrollLeft = 40; }")
    for _ in range(100):  # the other follows with a later frame
        left = tab.page.locator(".frame").last.evaluate("f => f.scrollLeft")
        if left == pytest.approx(40, abs=2):
            break
        tab.page.wait_for_timeout(20)
    assert left == pytest.approx(40, abs=2)
    tab.keys("z", "z")
    assert frame.evaluate("f => f.firstElementChild.offsetWidth <= f.clientWidth + 1")
    alert = tab.page.locator("#contradiction")
    tab.keys("1", "2")
    assert alert.is_visible()
    tab.page.get_by_role("group", name="Relevance").get_by_label("High").check()
    assert not alert.is_visible()
    assert tab.answers()[tab.item(data)["id"]]["scores"] == {"relevance": 2, "similarity": 2}
    tab.close()


def test_boxes_can_be_taken_off_and_can_not_tell_is_an_answer(built, browser, tmp_path):
    data, _, _ = made(built, tmp_path / "p.html", "object", "--n", 3, "--checks", "first")
    tab = Tab(browser, tmp_path / "p.html")
    tab.begin()
    box = tab.page.locator(".canvas .box").first
    place = box.evaluate(
        "b => { const c = b.parentElement.getBoundingClientRect(), r = b.getBoundingClientRect();"
        " return [(r.left - c.left) / c.width, (r.bottom - c.top) / c.height]; }"
    )
    item = tab.item(data)
    (x0, _, _, y1), (width, height) = item["boxes"][0]["px"], item["size"]
    assert place == pytest.approx([x0 / width, y1 / height], abs=0.01)
    tab.keys("t")
    assert not box.is_visible() and tab.page.get_attribute("#boxes", "aria-pressed") == "false"
    tab.keys("ArrowRight")
    assert not tab.page.locator(".canvas .box").first.is_visible()  # as it was left
    tab.keys("t", "0", "0")
    assert tab.answers()[tab.item(data)["id"]]["scores"] == {"precision": None, "clearness": None}
    tab.keys("u")
    assert tab.where() == "Sample 1 of 6"
    tab.keys("?")
    assert tab.page.locator("#help").is_visible()
    tab.keys("Escape", "2")
    assert tab.page.get_by_role("radio", name="Partially precise").is_checked()
    tab.close()


def test_screening_goes_on_by_itself_but_not_while_choosing_with_arrows(built, browser, tmp_path):
    made(built, tmp_path / "p.html", "screening", "--n", 6)
    tab = Tab(browser, tmp_path / "p.html")
    tab.begin()
    tab.keys("k", "d", "2", "1")
    assert tab.where() == "Sample 5 of 6"
    said = [a["scores"]["verdict"] for a in tab.answers().values()]
    assert said == [2, 1, 2, 1]
    tab.page.locator("#rating input").first.focus()
    tab.keys("ArrowDown")
    assert tab.where() == "Sample 5 of 6"
    tab.keys("ArrowLeft", "0")
    assert tab.where() == "Sample 5 of 6"
    assert list(tab.answers().values())[3]["scores"] == {"verdict": None}
    tab.close()


def test_several_words_may_be_true_of_a_pair_or_none(tmp_path_factory, browser, tmp_path):
    """By keyboard: two words, a word taken back, none, can't tell; kept over a reload and saved."""
    out = contradicting(tmp_path_factory.mktemp("pairs"))
    file = tmp_path / "p.html"
    command = ["make", str(out), "--task", "spatial", "--checks", "none", "--out", str(file)]
    assert review.main(command) == 0
    data, key = page.read_page(file)[0], results.read_key(page.key_path(file))
    tab = Tab(browser, file)
    tab.begin()
    ticked = tab.page.locator("#rating input:checked")
    boxes = tab.page.locator(".canvas .box")
    colors = boxes.evaluate_all("all => all.map(b => getComputedStyle(b).borderTopColor)")
    assert len(set(colors)) == 2 and boxes.count() == 2
    tags = tab.page.locator(".canvas .tag").all_inner_texts()
    first = tab.item(data)
    assert tags == [f"{n}: {box['name']}" for n, box in enumerate(first["boxes"], 1)]
    tab.keys("1", "8")
    assert [ticked.nth(n).get_attribute("name") for n in range(2)] == ["on", "left"]
    tab.keys("9")
    assert tab.page.locator("#contradiction").is_visible()
    tab.keys("9")
    assert not tab.page.locator("#contradiction").is_visible()
    tab.page.reload()
    assert ticked.count() == 2
    tab.keys("ArrowRight", "3", "n")  # none takes the tick off
    assert ticked.count() == 1 and ticked.get_attribute("name") == "none"
    tab.keys("ArrowRight", "n", "0")
    assert ticked.get_attribute("name") == "unsure"
    tab.keys("ArrowRight", "5", "5")  # nothing is said
    assert ticked.count() == 0 and "3 of 5" in tab.page.inner_text("#left")
    tab.page.get_by_role("checkbox", name="in front of").check()
    tab.keys("ArrowRight")
    tab.page.get_by_role("checkbox", name="to the right of").check()
    tab.wait(2)
    check(tab)
    tab.keys("ArrowRight")
    tab.page.locator("#download").focus()
    (tmp_path / "ann.json").write_bytes(tab.saved("Enter"))
    tab.close()
    read = results.read_result(tmp_path / "ann.json", key, RATINGS["spatial"])
    assert read.complete
    said = [
        [name for name, score in read.answers[i].scores.items() if score == 2] for i in key.items
    ]
    assert said == [["on", "left"], [], [], ["in front of"], ["right"]]
    second, third = (set(read.answers[i].scores.values()) for i in list(key.items)[1:3])
    assert (second, third) == ({1}, {None})


def test_answers_move_to_another_browser_as_a_file_and_only_to_their_page(built, browser, tmp_path):
    made(built, tmp_path / "a.html", "object", "--n", 4)
    made(built, tmp_path / "b.html", "object", "--n", 4, "--seed", 7)
    tab = Tab(browser, tmp_path / "a.html")
    tab.begin("Bo")
    tab.keys("3", "3", "ArrowRight", "2")
    tab.page.locator("#save").focus()
    file = tmp_path / "bo.json"
    file.write_bytes(tab.saved("Enter"))
    tab.close()
    assert json.loads(file.read_bytes())["complete"] is False
    other = Tab(browser, tmp_path / "a.html")
    other.page.set_input_files("#open", file)
    other.page.wait_for_selector("#sample:visible")
    assert other.where() == "Sample 2 of 7"
    assert [len(a["scores"]) for a in other.answers().values()] == [2, 1]
    other.close()
    wrong = Tab(browser, tmp_path / "b.html")
    wrong.page.set_input_files("#open", file)
    wrong.page.wait_for_selector("#trouble:visible")
    assert "another page" in wrong.page.inner_text("#trouble")
    (tmp_path / "x.json").write_text("{")
    wrong.page.set_input_files("#open", tmp_path / "x.json")
    sync_api.expect(wrong.page.locator("#trouble")).to_contain_text("x.json")
    assert wrong.answers() == {}
    wrong.close()


def test_a_browser_that_keeps_nothing_says_so_and_works(built, browser, tmp_path):
    made(built, tmp_path / "p.html", "object", "--n", 3)
    tab = Tab(browser, tmp_path / "p.html")
    tab.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });"
    )
    tab.page.reload()
    assert "keeps nothing" in tab.page.inner_text("#trouble")
    tab.begin()
    tab.keys("3", "3", "ArrowRight")
    assert "1 of 6" in tab.page.inner_text("#left")
    tab.close()


def test_a_hostile_text_does_not_run(built, browser, tmp_path):
    """It is on the screen as it was written; nor does a script run that somebody gets in."""
    picture, size = as_webp(next((built.work / "1_crawl").rglob("*.png")).read_bytes())
    boxes = (NamedBox(HOSTILE, (4.0, 4.0, 200.0, 200.0)),)
    question = Question("r", "m", HOSTILE, (picture,), (size,), boxes)
    file = tmp_path / "p.html"
    page.write_page(file, *page.page_and_key(RATINGS["object"], [question] * 2, {}, rotate=False))
    tab = Tab(browser, file)
    tab.begin(HOSTILE)
    tab.keys("3", "3", "ArrowRight", "c")
    tab.page.keyboard.type(HOSTILE)
    tab.page.reload()
    # Text and names come some time after the page is there.
    for place in ("#text", "#names"):
        tab.page.wait_for_function(f"document.querySelector('{place}').innerText !== ''")
    assert tab.page.inner_text("#text") == HOSTILE
    assert HOSTILE in tab.page.inner_text("#names")
    assert tab.page.evaluate("window.hacked") is None
    assert tab.said == []
    tab.page.evaluate(
        "() => { const s = document.createElement('script'); "
        "try { s.textContent = 'window.hacked = 2'; document.body.append(s); } catch (e) {} }"
    )
    tab.page.evaluate("() => fetch('http://127.0.0.1:9/').catch(() => {})")
    assert tab.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in tab.said)
    assert set(tab.asked) <= {"file", "data", "blob"}
    tab.context.close()


@pytest.mark.parametrize(
    ("task", "viewport", "scheme"),
    [("object", DESKTOP, "light"), ("object", PHONE, "dark"), ("state", PHONE, "light"),
     ("screening", DESKTOP, "dark"), ("spatial", DESKTOP, "dark"), ("spatial", PHONE, "light")],
)  # fmt: skip
def test_every_screen_is_accessible_and_fits(built, browser, tmp_path, task, viewport, scheme):
    """axe-core finds nothing (names, contrast, roles, focus), and nothing sticks out sideways."""
    made(built, tmp_path / "p.html", task, "--n", 2, "--checks", "none")
    tab = Tab(browser, tmp_path / "p.html", viewport, scheme)
    check(tab)
    tab.begin()
    tab.keys("1", *(["2", "z"] if task != "screening" else []))
    check(tab)
    tab.keys("?")
    check(tab)
    tab.keys("Escape", "ArrowRight", "ArrowRight")
    check(tab)
    tab.close()


def check(tab: Tab) -> None:
    found = Axe().run(tab.page, options={"resultTypes": ["violations"]})
    assert found.response["violations"] == [], found.generate_report()
    assert (
        tab.page.evaluate("document.documentElement.scrollWidth") <= tab.page.viewport_size["width"]
    )


def test_the_gallery_filters_shows_boxes_and_walks_through_an_episode(built, browser, tmp_path):
    gallery.write_gallery(built.out, tmp_path / "g")
    tab = Tab(browser, tmp_path / "g" / "index.html")
    assert "of 118 rows" in tab.page.inner_text("#count")
    tab.page.select_option("#config", "state")
    assert tab.page.inner_text("#count").startswith("24 of 118 rows, in 6 groups")
    assert tab.page.locator(".card").count() == 6
    first = tab.page.locator(".card").first
    kinds = first.locator("figcaption b").all_inner_texts()
    assert kinds[0] == "right" and len(kinds) == 4
    assert first.locator("rect.right").count() == 4 and first.locator("rect.wrong").count() == 3
    image = tab.page.locator(".card img").first
    assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") == 480
    tab.page.select_option("#manual", MANUALS[0])
    assert tab.page.inner_text("#count").startswith("12 of 118")
    tab.page.fill("#from", "1.01")
    assert tab.page.inner_text("#count").startswith("0 of 118")
    tab.page.get_by_role("button", name="Clear").click()
    tab.wait(0.1)
    sync_api.expect(tab.page.locator("#count")).to_contain_text("118 of 118")
    check(tab)
    tab.page.locator(".card a").first.click()
    sync_api.expect(tab.page.locator("#step")).to_have_text("step 1 of 4")
    for step in (2, 3):  # the address changes first, what is shown follows
        tab.keys("ArrowRight")
        sync_api.expect(tab.page.locator("#step")).to_have_text(f"step {step} of 4")
    assert [text.split(":")[0] for text in tab.page.locator(".card h2").all_inner_texts()] == [
        "Find", "Build", "Check",
    ]  # fmt: skip
    tab.keys("t")
    assert not tab.page.locator(".card svg").first.is_visible()
    check(tab)
    tab.close()


def test_the_gallery_lays_masks_over_their_pictures_as_dense_as_wanted(built, browser, tmp_path):
    gallery.write_gallery(built.out, tmp_path / "g")
    tab = Tab(browser, tmp_path / "g" / "index.html")
    tab.page.select_option("#config", "mask")
    veil = tab.page.locator(".card .veil").first
    assert veil.evaluate("i => i.decode().then(() => i.naturalWidth)") > 0

    def opacity() -> float:
        return float(veil.evaluate("i => getComputedStyle(i).opacity"))

    assert opacity() == 0.75 and tab.page.locator("#veil").input_value() == "75"
    tab.page.locator("#veil").fill("100")
    assert opacity() == 1
    tab.page.locator("h1").click()  # out of the slider, which has keys of its own
    tab.keys("m")
    assert opacity() == 0
    tab.keys("m")
    assert opacity() == 0.75
    tab.page.select_option("#config", "scene")
    assert tab.page.locator(".veil").count() == 0
    check(tab)
    tab.close()


def test_rows_are_selected_by_keyboard_kept_over_views_and_saved(built, browser, tmp_path):
    copy = shutil.copytree(built.out, tmp_path / "lego-arta")
    next((copy / "data" / "scene").glob("test-*")).unlink()
    gallery.write_gallery(copy, tmp_path / "g")
    tab = Tab(browser, tmp_path / "g" / "index.html")
    assert "rows are missing" in tab.page.inner_text("#missing")
    assert not tab.page.locator("#selection").is_visible()
    tab.page.select_option("#config", "state")
    box = tab.page.locator(".card input[type=checkbox]").first
    assert box.get_attribute("aria-label").startswith("Select state: ")
    while not box.evaluate("b => b === document.activeElement"):
        tab.keys("Tab")
    tab.keys("Space")
    assert tab.page.inner_text("#selected") == "4 rows selected:"
    check(tab)
    tab.page.select_option("#config", "object")
    tab.page.locator(".card input[type=checkbox]").nth(1).check()
    tab.page.locator("#to-episode").click()
    sync_api.expect(tab.page.locator("#walk")).to_be_visible()
    tab.page.reload()
    assert tab.page.inner_text("#selected") == "8 rows selected:"
    saved = {}
    for name in ("Save JSON", "Save CSV"):
        button = tab.page.get_by_role("button", name=name)
        button.focus()
        saved[name] = tmp_path / name
        saved[name].write_bytes(tab.saved("Enter"))
        assert is_selection(saved[name].read_bytes())
    chosen = read_selection("--ids", saved["Save JSON"])
    assert chosen == read_selection("--ids", saved["Save CSV"])
    manifest = json.loads((copy / "build.json").read_text())
    assert (chosen.build, chosen.fingerprint) == ("lego-arta", manifest["fingerprint"])
    known = {e.id: e for c in ("object", "state") for e in rows.entries_of(copy, c)}
    assert len(chosen.ids) == 8 and len({rows.group_of(known[i]) for i in chosen.ids}) == 2
    tab.page.get_by_role("button", name="Clear selection").click()
    tab.page.reload()
    assert not tab.page.locator("#selection").is_visible()
    tab.close()


def test_the_report_is_accessible(browser, tmp_path):
    key = key_of("object", 20)
    truth = truth_of(key, {"precision": (0.2, 0.3, 0.5), "clearness": (0.1, 0.2, 0.7)})
    (tmp_path / "p.key.json").write_bytes(dump(key))
    files = [tmp_path / f"{number}.json" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(msgspec.json.encode(careful(key, ratings(key, truth, 0.1, number))))
    assert review.main(["score", *map(str, files), "--out", str(tmp_path / "s")]) == 0
    for scheme in ("light", "dark"):
        tab = Tab(browser, tmp_path / "s" / "review.html", PHONE, scheme)
        check(tab)
        tab.close()
