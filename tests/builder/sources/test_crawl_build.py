"""A crawled build tells what the crawl could not bring home."""

import json

import pytest
from faulty_server import Reply, listing_html, png, serving, set_html
from makers import div_row, find_line, page, put_line

from builder import make
from core.build import MANIFEST, records

MANUAL = "lego-7-a-car-readscr"


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with serving() as running:
        running.pages["/list/"] = Reply(listing_html(["/set/", "/gone/"]))
        running.pages["/set/"] = Reply(set_html([f"/{MANUAL}/", "http://other.invalid/m/"]))
        rows = div_row("/p/Car-0_eop_A.png", find_line(1, "red", "brick 2x4"))
        rows += div_row("/p/Car-1_step_B.png", put_line("brick 2x4", "on top"))
        running.pages[f"/{MANUAL}/"] = Reply(page(rows).encode())
        for seed, name in enumerate(("Car-0_eop_A", "Car-1_step_B")):
            running.pages[f"/p/{name}.png"] = Reply(png(seed, (64, 48)))
        yield running


def built(server, folder, *more: str) -> dict:
    """The manifest of a build of the server's site."""
    arguments = ["--source", f"{server.url}/list/", "--delay", "0", "--workers", "1", "--no-probe"]
    places = ["--work", str(folder / "work"), "--out", str(folder / "lego-arta")]
    assert make.main([*arguments, *places, *more]) == 0
    return json.loads((folder / "lego-arta" / MANIFEST).read_text())


def crawl_drops(folder, manifest: dict) -> dict[str, tuple[str, str]]:
    found = [
        drop for drop in records(folder / "lego-arta", manifest, "drops") if drop["task"] == "crawl"
    ]
    assert manifest["drop_counts"].get("crawl", {}).keys() == {drop["reason"] for drop in found}
    return {drop["item"]: (drop["manual_id"], drop["reason"]) for drop in found}


def test_lost_links_are_drops_of_the_build(server, tmp_path, capsys):
    lost = {
        f"{server.url}/gone/": ("gone", "http_404"),
        "http://other.invalid/m/": ("m", "host_not_allowed"),
    }
    first = built(server, tmp_path, "--recipe")
    assert crawl_drops(tmp_path, first) == lost and sum(first["rows"]["scene"].values()) == 1
    assert "left out (crawl): 1 host not allowed" in capsys.readouterr().out
    card = (tmp_path / "lego-arta" / "README.md").read_text()
    assert "| crawl | http 404 | 1 |" in card
    assert built(server, tmp_path) == first, "by a run that changes nothing"
    assert "1 manuals, 0 of them (re)built" in capsys.readouterr().out
    server.pages["/gone/"] = Reply(set_html([f"/{MANUAL}/"]))
    del lost[f"{server.url}/gone/"]
    mended = built(server, tmp_path)
    assert crawl_drops(tmp_path, mended) == lost and mended["files"] != first["files"]
    # The release's card tells of the release's crawl.
    again = ("--from-recipe", str(tmp_path / "lego-arta-recipe"))
    assert built(server, tmp_path / "again", *again)["files"] == first["files"]
    assert "the same as the release" in capsys.readouterr().out
