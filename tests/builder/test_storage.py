"""Work folders and builds on a real S3 server on loopback: the bytes of a local build, whatever
happens on the way; what storage refuses is a line with the cure."""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hub_server
import pytest
from command import TINY, make, one_line_error, tiny_site
from datasets import load_dataset
from faulty_server import brick_site, serving
from hub_store import User
from outside import ROOT
from pusher import ANN, content, ok, pushing, tree
from s3_server import BUCKET, Storage, emptied, s3_storage

from builder import stages
from builder.export import command as export
from builder.release import command as validate
from builder.release import diff
from builder.stages import BuildOptions, Stage
from core import lease
from core.build import loading_call
from core.errors import UserError
from core.lease import leased
from core.mirror import Mirror
from core.storage import filesystem_of, place_of
from core.store import DONE, held
from evaluation import command as evaluate
from review import gallery as gallery_page
from review import gallery_command as gallery
from review import swatches_command as swatches

WORK = f"s3://{BUCKET}/stages"
OUT = f"s3://{BUCKET}/out/lego-arta"
STAGES = ("1_crawl", "2_parse", "3_annotate", "4_tasks")


@pytest.fixture(scope="module")
def server():
    with s3_storage() as storage:
        yield storage


@pytest.fixture
def s3(server, monkeypatch) -> Storage:
    return emptied(server, monkeypatch)


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> tuple[Path, dict[str, bytes], dict[str, bytes]]:
    """A site of two manuals; its local build, and the stages of it."""
    root = tmp_path_factory.mktemp("local")
    site = tiny_site(root / "site")
    work = root / "w"
    assert build(site, work, root / "lego-arta").returncode == 0
    return site, files(root / "lego-arta"), only_stages(files(work))


def build(site: Path, work: object, out: object, *more: object) -> subprocess.CompletedProcess:
    return make("--source", site, "--work", work, "--out", out, "--workers", 1, "--no-probe", *more)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*")
            if p.is_file()}  # fmt: skip


def only_stages(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in found.items() if name.startswith(STAGES)}


# Work folders ------------------------------------------------------------------------------------


def test_a_work_folder_on_s3_gives_the_same_bytes_and_is_worked_on_once(s3, local, tmp_path):
    site, built, worked = local
    for number, scratch in enumerate(("one", "one", "another machine")):
        before, out = len(s3.log), tmp_path / str(number) / "lego-arta"
        run = build(site, WORK, out, "--scratch", tmp_path / scratch)
        assert run.returncode == 0, run.stderr
        assert files(out) == built
        stored = s3.files("stages")
        assert only_stages(stored) == worked and ".lease" not in stored
        sent = [p for method, p in s3.log[before:] if method == "PUT" and "/." not in p]
        assert (number == 0) == bool(sent)
        for place in {name.rpartition("/")[0] for name in stored if name.endswith(f"/{DONE}")}:
            if number == 0 and not place.startswith("1_crawl"):
                assert [path for path in sent if place in path][-1].endswith(f"{place}/{DONE}")
        assert not list((tmp_path / scratch / "attempts").iterdir())


def test_a_crawl_goes_on_from_another_machine_and_asks_for_nothing_again(s3, tmp_path):
    with serving() as site:
        listing = brick_site(site)
        asked_for_any = []
        for machine in ("one", "another"):
            asked = len(site.log)
            out = tmp_path / machine / "lego-arta"
            run = build(listing, WORK, out, "--scratch", tmp_path / machine, "--delay", 0,
                        "--refresh", "pages" if machine == "one" else "never")  # fmt: skip
            asked_for_any.append(len(site.log) > asked)
            # These pictures are noise: no row comes of them, and no build.
            assert "not one row came of 2 manuals" in run.stderr
        assert asked_for_any == [True, False]
        assert "1_crawl/report.jsonl" in s3.files("stages")


def test_what_was_drawn_is_not_drawn_again_elsewhere(s3, tmp_path):
    place = place_of(WORK)
    first, second = (Mirror(place, tmp_path / name) for name in ("one", "another"))
    drawn = {"0_demo/truth/m.json": b"{}", "0_demo/site/a.png": b"a", "0_demo/site/b #1.png": b"b"}
    for name, data in drawn.items():
        path = tmp_path / "one" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    first.send("0_demo")
    assert s3.written()[-1].endswith("truth/m.json"), "records come last"
    second.bring("0_demo")
    assert files(tmp_path / "another") == drawn
    before = len(s3.written())
    for mirror in (second, first):
        mirror.send("0_demo")
        mirror.bring("0_demo")
    assert len(s3.written()) == before, "nothing has changed"
    (tmp_path / "another/0_demo/site/a.png").write_bytes(b"c")
    (tmp_path / "another/0_demo/site/b #1.png").unlink()
    second.send("0_demo")
    assert s3.files("stages/0_demo/site") == {"a.png": b"c"}


def numbered(folder: str, data: str) -> Stage:
    """A stage of two files that takes long enough for others to overtake it."""

    def fill(manual_id: str, options: BuildOptions, target: Path) -> None:
        source = (options.work / "1_crawl" / manual_id / "crawl.json").read_bytes()
        for name in ("a", "b"):
            (target / name).write_bytes(source + data.encode())

    return Stage(folder, folder, "builder.parse.manual", (("1_crawl", "crawl.json"),), fill,
                 lambda manual_id, options: [data])  # fmt: skip


OLD = ("nothing", "of other code", "cut short", "same")


def test_many_attempts_at_one_manual_at_once_all_end_well(s3, tmp_path):
    place = place_of(WORK)
    fs, root = filesystem_of(place)
    for trial in range(12):
        old, manual_id = OLD[trial % 4], f"m{trial}"
        fs.pipe_file(f"{root}/1_crawl/{manual_id}/crawl.json", b"crawled ")
        shared = Mirror(place, tmp_path / "scratch")
        make_it = numbered("2_parse", "new")
        if old in ("of other code", "same"):
            attempt(numbered("2_parse", "new" if old == "same" else "old"), manual_id, shared)
        elif old == "cut short":
            for name in ("a", "left"):
                fs.pipe_file(f"{root}/2_parse/{manual_id}/{name}", b"half")
        ready = threading.Barrier(4)

        def at_once(
            _: int, ready=ready, stage=make_it, manual_id=manual_id, shared=shared
        ) -> tuple[bool, bytes]:
            ready.wait(60)
            return attempt(stage, manual_id, shared)

        with ThreadPoolExecutor(4) as pool:
            ends = list(pool.map(at_once, range(4)))
        assert {read for _, read in ends} == {b"crawled new"}
        assert any(done for done, _ in ends) == (old != "same")
        names = sorted(Path(name).name for name in fs.find(f"{root}/2_parse/{manual_id}"))
        assert names == ["a", "b", DONE]
        assert fs.cat_file(f"{root}/2_parse/{manual_id}/b") == b"crawled new"


def test_several_that_bring_one_folder_at_once_all_have_it(s3, tmp_path):
    place = place_of(WORK)
    fs, root = filesystem_of(place)
    shared, names = Mirror(place, tmp_path), ("a", "b", DONE)
    for trial in range(6):
        folder = f"4_tasks/m{trial}"
        for name in names:
            fs.pipe_file(f"{root}/{folder}/{name}", name.encode())
        ready = threading.Barrier(6)

        def bring(_: int, ready=ready, folder=folder) -> tuple[str, ...]:
            ready.wait(60)
            shared.pull(folder)
            return tuple((tmp_path / folder / name).read_text() for name in names)

        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(bring, range(6))) == {names}


def attempt(stage: Stage, manual_id: str, shared: Mirror) -> tuple[bool, bytes]:
    """One stage of a manual, and what the stage after it would read."""
    with shared.attempt(manual_id) as own:
        options = BuildOptions(own.scratch, annotator="exact", shared=own)
        done = stages.run(stage, manual_id, options)
        return done, own.file(f"2_parse/{manual_id}/a")


def test_killed_in_mid_upload_and_run_again_it_has_the_same_bytes(s3, local, tmp_path):
    """kill -9 at the fourth file of a manual's rows: the folder has files and no marker."""
    site, built, worked = local
    arguments = ["--source", site, "--work", WORK, "--scratch", tmp_path / "s", "--workers", 1,
                 "--no-probe", "--out", tmp_path / "lego-arta"]  # fmt: skip
    process: list[subprocess.Popen] = []
    seen: Counter[str] = Counter()

    def kill(method: str, path: str) -> None:
        if method == "PUT" and "/4_tasks/" in path:
            seen["uploads"] += 1
            if seen["uploads"] == 4:
                waiting_for(lambda: s3.files("stages/4_tasks"))  # several are under way at a time
                process[0].send_signal(signal.SIGKILL)
                process[0].wait()

    s3.refuse = kill
    command = [sys.executable, str(ROOT / "builder/make.py"), *map(str, arguments)]
    process.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path))
    assert process[0].wait() == -signal.SIGKILL
    s3.refuse = lambda method, path: None
    left = [name for name in s3.files("stages") if name.startswith("4_tasks/")]
    assert left and not any(name.endswith(DONE) for name in left)
    assert ".lease" in s3.files("stages") and not (tmp_path / "lego-arta").exists()
    assert make(*arguments).returncode == 0, "its owner was killed here: nobody waits for it"
    assert files(tmp_path / "lego-arta") == built
    assert only_stages(s3.files("stages")) == worked
    assert not list((tmp_path / "s" / "attempts").iterdir()), "nor is what it left kept"


def test_storage_that_answers_503_for_a_while_is_asked_again(s3, local, tmp_path):
    site, built, _ = local
    times = Counter[str]()

    def refuse(method: str, path: str) -> int | None:
        """Twice to each of these, of every kind of request."""
        what = next((one for one in (".lease", "1_crawl/" + TINY[0] + "/crawl.json", "manual.json",
                                     "list-type") if one in path), None)  # fmt: skip
        if what is None or times[method + what] == 2:
            return None
        times[method + what] += 1
        return 503

    s3.refuse = refuse
    run = build(site, WORK, tmp_path / "lego-arta", "--scratch", tmp_path / "s")
    assert run.returncode == 0, run.stderr
    assert files(tmp_path / "lego-arta") == built
    assert set(times.values()) == {2} and len(times) >= 4


# Builds ------------------------------------------------------------------------------------------


def build_there(site: Path, *more: object) -> subprocess.CompletedProcess:
    return build(site, site.parent / "w", OUT, *more)


def test_a_build_on_s3_has_the_same_bytes_and_every_command_reads_it(s3, local, tmp_path, capsys):
    site, built, _ = local
    for number in range(2):
        before = len(s3.written("/data/"))
        run = build_there(site)
        assert run.returncode == 0, run.stderr
        assert s3.files("out/lego-arta") == built
        assert set(s3.files("out")) == {f"lego-arta/{name}" for name in built}
        assert (len(s3.written("/data/")) > before) == (number == 0)
    here = site.parent / "lego-arta"
    reads = {
        "validate": (validate.main, [OUT]),
        "diff": (diff.main, [OUT, here]),
        "export": (export.main, [OUT, "--format", "llava", "--out", tmp_path / "llava"]),
        "evaluate": (evaluate.main, ["run", OUT, "--model", "baseline:always-yes", "--config",
                                     "state", "--out", tmp_path / "predictions"]),
        "gallery": (gallery.main, [OUT, "--out", f"s3://{BUCKET}/gallery"]),
    }  # fmt: skip
    for name, (main, arguments) in reads.items():
        assert main([str(word) for word in arguments]) == 0, (name, capsys.readouterr().err)
    assert "every check holds" in capsys.readouterr().out
    assert export.main([str(here), "--format", "llava", "--out", str(tmp_path / "same")]) == 0
    there, same = files(tmp_path / "llava"), files(tmp_path / "same")
    pictures = {name for name in same if name.endswith((".webp", ".png", ".jpg"))}
    assert pictures and {n: there[n] for n in pictures} == {n: same[n] for n in pictures}
    shown = s3.files("gallery")
    assert s3.written("gallery/")[-1].endswith(gallery_page.PAGE) and len(shown) > 2
    rows = eval(loading_call(place_of(OUT), "state"), {"load_dataset": functools.partial(
        load_dataset, cache_dir=str(tmp_path / "cache"))})  # fmt: skip
    told = json.loads(built["build.json"])["rows"]["state"]
    assert {name: len(split) for name, split in rows.items()} == told


def test_a_build_killed_while_it_is_copied_is_not_visible_and_is_made_again(s3, local, tmp_path):
    site, built, _ = local
    process: list[subprocess.Popen] = []
    seen: Counter[str] = Counter()

    def kill(method: str, path: str) -> None:
        seen["copied"] += method == "PUT" and "out/lego-arta/data/" in path
        if seen["copied"] == 3:
            process[0].send_signal(signal.SIGKILL)
            process[0].wait()

    s3.refuse = kill
    command = ["--source", site, "--work", site.parent / "w", "--out", OUT, "--workers", 1,
               "--no-probe"]  # fmt: skip
    words = [sys.executable, str(ROOT / "builder/make.py"), *map(str, command)]
    process.append(subprocess.Popen(words, stderr=subprocess.DEVNULL, cwd=tmp_path))
    assert process[0].wait() == -signal.SIGKILL
    s3.refuse = lambda method, path: None
    assert len(s3.files("out/lego-arta/data")) >= 2
    assert "build.json" not in s3.files("out/lego-arta")
    assert validate.main([OUT]) == 1
    run = build_there(site)
    assert run.returncode == 0, (run.stderr, sorted(s3.files("out")))
    assert s3.files("out/lego-arta") == built
    assert set(s3.files("out")) == {f"lego-arta/{name}" for name in built}


def test_a_build_that_fails_leaves_the_old_one_as_it_was(s3, local):
    site, built, _ = local
    assert build_there(site).returncode == 0
    s3.refuse = lambda method, path: 403 if method == "PUT" and "tmp/data/state" in path else None
    run = build_there(site, "--split", "paper")
    one_line_error(run, "not allowed there", "rights to list")
    s3.refuse = lambda method, path: None
    assert s3.files("out/lego-arta") == built
    assert set(s3.files("out")) == {f"lego-arta/{name}" for name in built}


def test_what_is_no_build_is_not_overwritten(s3, local):
    for name in ("thesis.docx", "data/state/notes.txt"):
        place_of(f"{OUT}/{name}").write_bytes(b"mine")
        run = build_there(local[0])
        one_line_error(run, f"--out {OUT}: it holds something that is not a build")
        assert s3.files() == {f"out/lego-arta/{name}": b"mine"}
        filesystem_of(place_of(OUT))[0].rm_file(f"{BUCKET}/out/lego-arta/{name}")


def test_what_needs_files_of_this_machine_says_so(s3, local, tmp_path, capsys):
    run = build_there(local[0], "--recipe")
    assert run.returncode == 2 and "reads a build of this machine" in run.stderr
    for main, words in (
        (swatches.main, ["--work", WORK]),
        (export.main, [OUT, "--format", "llava", "--out", f"s3://{BUCKET}/llava"]),
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        assert "copy it" in (said := capsys.readouterr().err) and said.count("\n") == 1
    run = build(local[0], tmp_path / "w", tmp_path / "x", "--scratch", tmp_path / "s")
    assert run.returncode == 2 and "leave it out" in run.stderr
    run = build(local[0], f"{OUT}/stages", OUT)
    one_line_error(run, "it lies in --out and a new build would delete it")


def test_a_build_on_s3_is_pushed(s3, local, tmp_path):
    site = local[0]
    with hub_server.serving(tmp_path / "hub") as hub, pushing(hub, tmp_path / "home") as pusher:
        hub.store.users[ANN] = User("ann", ("lab",))
        assert f"{OUT}: not a build" in pusher.push(OUT, "--repo-id", "lab/lego-arta").stderr
        assert build_there(site).returncode == 0
        assert f"{OUT} -> " in ok(pusher.push(OUT, "--repo-id", "lab/lego-arta"))
        assert tree(hub, "lab/lego-arta") == content(site.parent / "lego-arta")


def test_no_build_and_no_rights_are_lines_of_those_who_read(s3, capsys):
    assert validate.main([OUT]) == 1
    assert "no build.json of lego-arta in it" in capsys.readouterr().err
    s3.refuse = lambda method, path: 403
    assert validate.main([OUT]) == 1
    assert capsys.readouterr().err.startswith(f"error: {OUT}: not allowed there")


def test_what_storage_refuses_is_not_told_as_missing_or_broken(s3, local, capsys):
    """Nobody makes a build anew because a key lacks a right."""
    site, built, _ = local
    assert build_there(site).returncode == 0
    for refused in ("/data/state/", "prefix"):  # the files; the list of them
        s3.refuse = lambda method, path, refused=refused: (
            403 if method == "GET" and (refused in path or (refused, path) == ("prefix", BUCKET))
            else None
        )  # fmt: skip
        assert gallery.main([OUT, "--out", str(site.parent / "never")]) == 1
        told = capsys.readouterr().err
        assert "not allowed there" in told and "build it anew" not in told and "missing" not in told
    before = len(s3.written())
    one_line_error(build_there(site), "not allowed there")
    assert not [path for path in s3.written()[before:] if "/data/" in path]
    s3.refuse = lambda method, path: None
    assert s3.files("out/lego-arta") == built


def test_a_gallery_that_was_cut_off_is_made_again(s3, local, tmp_path):
    command = [str(local[0].parent / "lego-arta"), "--out", f"s3://{BUCKET}/gallery"]
    for trial in ("the first", "over a whole one"):
        s3.refuse = lambda method, path: (
            403 if method == "PUT" and "gallery/pictures" in path else None
        )
        assert gallery.main(command) == 1, trial
        s3.refuse = lambda method, path: None
        s3_before = s3.files("gallery")
        assert gallery_page.PAGE in s3_before, trial
        assert gallery.main(command) == 0, trial
        assert s3.written("gallery/")[-1].endswith(gallery_page.PAGE)
    assert gallery.main([*command, "--sessions", "1"]) == 0
    assert len(s3.files("gallery")) < len(s3_before)  # those of before that it has no more are gone


# Leases ------------------------------------------------------------------------------------------

OWNER = """
import sys, time
from core.storage import place_of
from core.store import held
with held(place_of(sys.argv[1]), "--work"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def owner(s3):
    """Another process that holds the lease."""
    command = [sys.executable, "-c", OWNER, f"{WORK}/.lease"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_lease_of_a_run_that_lives_is_not_taken(owner, s3, local, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "LOOK_S", 0.05)
    note = json.loads(s3.files("stages")[".lease"])
    beats = threading.Event()

    def beat() -> None:  # the owner's next one, sooner than it would come
        while not beats.wait(0.1):
            note["beats"] += 1
            filesystem_of(place_of(WORK))[0].pipe_file(f"{BUCKET}/stages/.lease",
                                                       json.dumps(note).encode())  # fmt: skip

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        run = build(local[0], WORK, tmp_path / "lego-arta", "--scratch", tmp_path / "s")
    finally:
        beats.set()
        thread.join()
    one_line_error(run, f"--work {WORK}: another build is running there")
    assert json.loads(s3.files("stages")[".lease"])["id"] == note["id"]
    assert not (tmp_path / "lego-arta").exists()


def test_a_lease_whose_owner_was_killed_here_is_taken_at_once(owner, s3, monkeypatch):
    monkeypatch.setattr(lease, "LOOK_S", 0.01)
    owner.kill()
    owner.wait()
    dead = json.loads(s3.files("stages")[".lease"])
    with held(place_of(f"{WORK}/.lease"), "--work"):
        assert json.loads(s3.files("stages")[".lease"])["id"] != dead["id"]
    assert s3.files("stages") == {}


def test_a_lease_whose_owner_died_elsewhere_is_taken_when_it_stays_silent(s3, monkeypatch):
    monkeypatch.setattr(lease, "LOOK_S", 0.01)
    monkeypatch.setattr(lease, "PATIENCE_S", 0.2)
    place = place_of(f"{WORK}/.lease")
    fs, path = filesystem_of(place)
    for left in (b'{"machine": "another", "pid": 1, "id": "x", "beats": 3}', b"torn", b"[]"):
        fs.pipe_file(path, left)
        with leased(place, "--work", "busy"):
            assert json.loads(fs.cat_file(path))["pid"] == os.getpid()
        assert not fs.exists(path)


def test_of_many_that_want_a_lease_at_once_one_has_it(s3, monkeypatch):
    monkeypatch.setattr(lease, "LOOK_S", 0.02)
    monkeypatch.setattr(lease, "RENEW_S", 0.05)  # it beats while the others look
    place, inside, most = place_of(f"{WORK}/.lease"), threading.Lock(), []
    over = threading.Event()

    def want(_: int) -> bool:
        try:
            with leased(place, "--work", "busy"):
                most.append(inside.acquire(blocking=False))
                over.wait(1)
                inside.release()
        except UserError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        took = list(pool.map(want, range(6)))
    assert sum(took) == 1 and most == [True]


def test_who_lost_its_lease_is_stopped_and_says_so(s3, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.02)
    place = place_of(f"{WORK}/.lease")
    fs, path = filesystem_of(place)
    with (
        pytest.raises(UserError, match="another run took it over"),
        leased(place, "--work", "busy"),
    ):
        for _ in range(3000):
            fs.pipe_file(path, b'{"id": "other"}')  # again: it may just have been renewed
            threading.Event().wait(0.1)
        pytest.fail("it went on")
    assert fs.cat_file(path) == b'{"id": "other"}'


def waiting_for(true) -> None:
    for _ in range(500):
        if true():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it never came true")


# Bad input ---------------------------------------------------------------------------------------


def refused(s3: Storage, local, tmp_path: Path, work: object, *words: str) -> str:
    """The one line that a build with such a --work ends with; nothing is written."""
    before = len(s3.written())
    run = build(local[0], work, tmp_path / "lego-arta", "--scratch", tmp_path / "s")
    told = run.stderr + run.stdout
    assert "hidden-from-all" not in told and "Traceback" not in told
    assert not (tmp_path / "lego-arta").exists()
    assert s3.files() == {}
    if run.returncode == 2:
        assert all(word in run.stderr for word in words), run.stderr
        assert len(s3.written()) == before
        return run.stderr
    return one_line_error(run, *words)


def test_a_bucket_without_rights_is_a_line(s3, local, tmp_path):
    s3.refuse = lambda method, path: 403 if method == "PUT" else None
    refused(s3, local, tmp_path, WORK, f"--work {WORK}: not allowed there", "rights to list")


def test_a_bucket_that_nobody_made_is_a_line(s3, local, tmp_path):
    refused(s3, local, tmp_path, "s3://no-such-bucket/stages", "not there; make its bucket first")


@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("s4://bricks/stages", "nobody knows s4://; give one of s3, gs"),
        ("s3:/bricks/stages", "an address has two slashes; give s3://bricks/stages"),
        ("s3://", "it names no folder; give one, as in s3://bucket/folder"),
        ("gs://bricks/stages", "pip install"),  # its library is none of ours
    ],
)
def test_a_slip_in_an_address_is_a_line(work, said, s3, local, tmp_path):
    refused(s3, local, tmp_path, work, said)


def test_without_the_library_the_cure_is_told(s3, local, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "upath", None)
    refused(s3, local, tmp_path, WORK, "universal-pathlib", "pip install", "[storage]")


def test_without_credentials_the_cure_is_told(s3, local, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    refused(s3, local, tmp_path, WORK, "no credentials", "AWS_PROFILE")


def test_an_endpoint_where_nobody_answers_is_a_line(s3, local, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    refused(s3, local, tmp_path, WORK, "nobody answers at http://127.0.0.1:1 (AWS_ENDPOINT_URL)")
