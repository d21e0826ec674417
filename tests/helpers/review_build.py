"""A build of two small manuals for tests of review pages, and the command that makes one."""

from pathlib import Path

from makers import crawl_folder, tiny_manual

from builder.release.assemble import AssembleOptions, assemble
from builder.stages import BuildOptions, build_manual
from review import command as review
from review import page, results
from review.results import Key

MANUALS = ("lego-60001-car-readscr", "lego-60002-car-readscr")
# What a manual that means ill would write.
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>@js@"


class Folder:
    """A build of two manuals with 8 objects and 6 state groups between them."""

    def __init__(self, folder: Path):
        self.work, self.out = folder / "work", folder / "lego-arta"
        for manual_id in MANUALS:
            crawl_folder(self.work, tiny_manual().rows[:8], manual_id)
            build_manual(manual_id, BuildOptions(self.work))
        self.assemble(self.out)

    def assemble(self, out: Path, **options) -> dict:
        """Assemble the manuals with these options; returns the manifest."""
        everything = AssembleOptions(out, "demo", probe=False, **options)
        return assemble(list(MANUALS), BuildOptions(self.work), everything)


def made(built: Folder, out: Path, task: str, *options: object) -> tuple[dict, Key, str]:
    """Run `make`; returns the page's data, its key, its text."""
    command = ["make", built.out, "--task", task, "--out", out, *options]
    assert review.main([str(part) for part in command]) == 0
    text = out.read_text(encoding="utf-8")
    return page.read_page(out)[0], results.read_key(page.key_path(out)), text
