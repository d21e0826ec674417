"""The command line all commands share: help, slips, errors, and lines that can be pasted.

Only light modules of the standard library are imported here, so that `--help` answers at once.
"""

import argparse
import difflib
import importlib.util
import math
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from core.errors import UserError, describe

ROOT = Path(__file__).resolve().parent.parent
# The modules that each extra of pyproject.toml brings, by the names they are imported under.
EXTRAS = {
    "annotate": ("sentencepiece", "torch", "transformers"),
    "evaluate": ("nltk", "rouge_score", "sacrebleu"),
    "export": ("supervision",),
    "review": ("matplotlib", "statsmodels"),
    "storage": ("s3fs", "upath"),
    "train": ("peft", "torch", "transformers", "trl"),
}
EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
# In help texts: a command of ours or of this Python, which begin a line or stand in backticks.
_COMMAND = re.compile(r"(?m)(^ *|`)(lego-arta (?=[a-z])|python (?=-m ))")
_OURS = re.compile(r"(?<![\w./-])(?:scripts|builder)/[\w./-]+\.(?:json|py|sh|yaml)\b")


def command(name: str, *words: object) -> str:
    """A line that runs one of our commands with the Python that runs now, for a shell here.

    >>> command("review", "gallery", "my build").split(" ", 1)[1]
    "review gallery 'my build'"
    """
    return f"{_program()} {shlex.join([*name.split(), *map(str, words)])}"


def pip_install(*extras: str) -> str:
    """A line that installs extras of this checkout for the Python that runs now."""
    checkout = Path(_here(ROOT))
    return f"{_python()} -m pip install " + shlex.join(
        ["-c", str(checkout / "constraints.txt"), "-e", f"{checkout}[{','.join(extras)}]"]
    )


def python_module(*words: object) -> str:
    """A line that runs a module with the Python that runs now: its name, and its words."""
    return f"{_python()} -m {shlex.join(map(str, words))}"


def _program() -> str:
    """What runs our commands; where it is not installed, the script that it would run."""
    installed = shutil.which("lego-arta", path=Path(sys.executable).parent)
    if installed:
        return shlex.quote(_here(Path(installed)))
    return f"{_python()} {shlex.quote(_here(ROOT / 'scripts/main.py'))}"


def _python() -> str:
    return shlex.quote(_here(Path(sys.executable)))


def _here(path: Path) -> str:
    """A path as it is shortest to write from the current folder, never a bare word."""
    try:
        below = path.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)
    return below if "/" in below or below == "." else f"./{below}"


def require(extra: str, what: str, *modules: str) -> None:
    """Raise `UserError` when a module is missing that `what` needs, of all that an extra brings."""
    for name in modules or EXTRAS[extra]:
        if sys.modules.get(name) is None and not _installed(name):
            raise UserError(f"{what}: {name} is not installed; {pip_install(extra)}")


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # it was imported from nowhere
        return False


def warn(lines: Iterable[str]) -> None:
    """Tell what is odd, a line each, where errors are told."""
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)


def no_build(folder: Path) -> UserError:
    """What to raise when a folder is no build."""
    return UserError(f"{folder}: not a build; make one with: {command('build')}")


def instead_of(word: str, known: Iterable[str]) -> str:
    """What to say of a word that is none of the known: the one that was meant, or all of them.

    >>> instead_of("manul", ["manual", "paper"])
    'did you mean manual?'
    >>> instead_of("random", ["manual", "paper"])
    'give one of manual, paper'
    """
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, 1)
    return (
        f"did you mean {names[close[0]]}?" if close else f"give one of {', '.join(names.values())}"
    )


class Parser(argparse.ArgumentParser):
    """A command line whose help is the docstring of a command, and whose slips get one line."""

    def __init__(self, name: str = "", doc: str = "", **options: Any) -> None:
        if doc:
            about, _, more = doc.partition("\n\n")
            told = {"prog": command(name).strip(), "description": about}
            options = {**told, "epilog": pasteable(more), **options}
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As in `argparse`, but a slip is told before anything that it leaves missing."""
        words = list(sys.argv[1:] if args is None else args)
        self._check_options(words)
        found, strange = super().parse_known_args(words, namespace)
        if strange:
            self.error(f"{strange[0]}: not expected here")
        return found, strange

    def _check_options(self, words: Sequence[str]) -> None:
        """End with 2 at an option that is none of this command's."""
        commands = {name for action in self._actions if isinstance(action.choices, dict)
                    for name in action.choices}  # fmt: skip
        known = self._option_string_actions
        for word in words:
            if word == "--" or word in commands:  # what follows is for others to read
                return
            option = word.partition("=")[0]
            if self._looks_like_option(word) and option not in known:
                self.error(f"{option}: no such option{_option_meant(option, known)}")

    def _looks_like_option(self, word: str) -> bool:
        number = self._negative_number_matcher.match(word)
        return len(word) > 1 and word[0] == "-" and " " not in word and not number

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(
                action if action.option_strings else None,
                f"{value}: unknown; {instead_of(str(value), map(str, action.choices))}",
            )

    def error(self, message: str) -> NoReturn:
        """End with 2 and one line."""
        said = re.sub(r"^argument (\S+):(?! (?:expected|not allowed))", r"\1", message)
        said = re.sub("^argument ", "", said)
        self.exit(EXIT_USAGE, f"error: {said} (all options: {self.prog} --help)\n")


def _option_meant(option: str, known: Iterable[str]) -> str:
    """The option that was meant; all of them are too many for a line."""
    close = difflib.get_close_matches(option, [name for name in known if name[:2] == "--"], 1)
    return f"; did you mean {close[0]}?" if close else ""


def pasteable(text: str) -> str:
    """A help text with its commands, and the files they name, as they run here."""
    programs = {"l": _program(), "p": _python()}
    lines = _COMMAND.sub(lambda match: f"{match[1]}{programs[match[2][0]]} ", text)
    return _OURS.sub(lambda match: _here(ROOT / match[0]), lines)


def positive(text: str) -> int:
    """A whole number from 1 up, as the `type` of an option."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from 1 up")
    return int(text)


def whole(text: str) -> int:
    """A whole number, as the `type` of an option."""
    if not text.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: give a whole number")
    return int(text)


def not_negative(text: str) -> float:
    """A number from 0 up, as the `type` of an option."""
    return _between(text, 0, math.inf, "a number, 0 or more")


def share(text: str) -> float:
    """A number from 0 to 1, as the `type` of an option."""
    return _between(text, 0, 1, "a number from 0 to 1")


def _between(text: str, low: float, high: float, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (low <= value <= high and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"{text}: give {wanted}")
    return value


def writable(text: str) -> Path:
    """A file or folder that is going to be written, as the `type` of an option.

    Whether that can be done is found out now, not after all the work; nothing is left behind. An
    option's default is given as text, so that it is looked at too.
    """
    if "://" in text:
        raise argparse.ArgumentTypeError(
            f"{text}: this is written on this machine; give a place here, and copy it there"
        )
    path = Path(text)
    try:
        place = next(place for place in (path, *path.absolute().parents) if place.exists())
        if place.is_dir():  # what else stands there is told by the command
            tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{text}: can't be written there ({error.strerror}); choose a place that you may write "
            "to"
        ) from None
    return path


def run_file(script: str, main: Callable[[list[str]], int], *words: str) -> NoReturn:
    """End with the status of a command, for a script that is run as a file.

    Python puts the folder of such a script first on its path, where `import review` would find
    scripts/review.py. Worker processes inherit the path as it is when they start.
    """
    folder = Path(script).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != folder]
    sys.exit(main([*words, *sys.argv[1:]]))


def run(work: Callable[[], Any], debug: bool = False, again: str = "the same command") -> int:
    """Do the work of a command; returns its exit status. Errors become one line on stderr."""
    try:
        work()
    except KeyboardInterrupt:
        print(f"stopped; run {again} again to go on", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except Exception as error:
        if debug:
            raise
        print(f"error: {describe(error)}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK
