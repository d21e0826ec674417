"""What a push can be told: where it goes, under which name, how long it waits."""

import argparse
import re
from dataclasses import dataclass, field

from builder.publish import git_refs
from core.cli import positive

MAIN = "main"
PUSH_FORMATS = ("messages",)  # `push_formats` knows their columns
_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Patience:
    """How long to wait for an answer, and how often to ask again (first wait, doubled each time).

    The client waits for ever if nobody tells it otherwise.
    """

    timeout_s: float = 300.0
    tries: int = 6
    wait_s: float = 1.0
    most_s: float = 30.0


# The Hub advises 50 to 100 files a commit.
BATCH_FILES = 100


@dataclass(frozen=True)
class PushOptions:
    """Where to push and how."""

    repo_id: str
    private: bool = False
    create_pr: bool = False
    revision: str = MAIN
    tag: str | None = None
    dry_run: bool = False
    message: str | None = None
    format: str | None = None
    batch_files: int = BATCH_FILES
    patience: Patience = field(default_factory=Patience)


def add_options(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """The options of a push, for a push alone and for one after a build."""
    add = group.add_argument
    add("--repo-id", metavar="ORG/NAME", help="the dataset repository; made if it does not exist")
    add("--private", action="store_true", help="make a new repository private")
    add("--create-pr", action="store_true", help="open a pull request instead of committing")
    add("--revision", default=MAIN, metavar="BRANCH", help="the branch (%(default)s)")
    add("--tag", metavar="NAME", help="tag the result, e.g. v1.0.0; a tag is never moved")
    add("--dry-run", action="store_true", help="only show what would change")
    add("--message", metavar="TEXT", help="the first line of the commit")
    add("--batch-files", type=positive, default=BATCH_FILES, metavar="N",
        help="files a commit (%(default)s): a larger push fills a pull request by batches, which "
        "is merged in one moment")  # fmt: skip
    add(
        "--push-format",
        choices=PUSH_FORMATS,
        help="push the rows in this format, too, as configs like state_messages",
    )


def options_of(namespace: argparse.Namespace, parser: argparse.ArgumentParser) -> PushOptions:
    """The parsed options of `add_options`; exits with 2 when they make no sense."""
    repo_id = namespace.repo_id
    if not repo_id:
        parser.error("--push: where to? give --repo-id ORG/lego-arta")
    if not _is_repo_id(repo_id):
        parser.error(f"--repo-id {repo_id}: give it as ORG/NAME, e.g. ORG/lego-arta")
    if namespace.create_pr and namespace.tag:
        parser.error("--tag with --create-pr: a pull request is no release; tag it when merged")
    for option, name in (("--revision", namespace.revision), ("--tag", namespace.tag)):
        wrong = None if name is None else git_refs.problem(name)
        if wrong:
            parser.error(f"{option} {name!r}: {wrong}; give a name like v1.0.0")
    if namespace.tag in (namespace.revision, MAIN):
        parser.error(f"--tag {namespace.tag}: a branch has this name; give one like v1.0.0")
    return PushOptions(
        repo_id, namespace.private, namespace.create_pr, namespace.revision, namespace.tag,
        namespace.dry_run, namespace.message, namespace.push_format, namespace.batch_files,
    )  # fmt: skip


def _is_repo_id(text: str) -> bool:
    """Whether the Hub's client takes it, and it names a namespace too."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return bool(_REPO_ID.fullmatch(text))
