"""A push that is too large for one commit: in batches into a pull request, merged in one moment.

Readers of the branch see the old build until the merge and the new one after it. A push that is
killed finds its pull request again by the title, which names the build, and goes on.
"""

import itertools
import logging
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from builder.publish.hub import Hub, is_transient, status_of
from builder.publish.options import MAIN, PushOptions
from builder.publish.plan import LocalFile, Plan, make_plan
from core.build import MANIFEST
from core.errors import UserError

log = logging.getLogger("lego_arta.push")


class Pull(NamedTuple):
    """A pull request: its number and where its commits lie."""

    num: int
    revision: str


def operations_of(plan: Plan, local: Mapping[str, LocalFile]) -> list[Any]:
    """What commits have to do for a plan; deletions first, the rest by name."""
    operations: list[Any] = [CommitOperationDelete(name) for name in sorted(plan.deleted)]
    for name in sorted({**plan.added, **plan.changed}):
        add = CommitOperationAdd(name, str(local[name].path))
        add.upload_info.sha256 = bytes.fromhex(local[name].sha256)  # spares reading it once more
        operations.append(add)
    return operations


def upload(hub: Hub, operations: list[Any], revision: str, create_pr: bool) -> None:
    """Send the large files of commits, unseen by readers; what is there is not sent again."""
    hub.api.preupload_lfs_files(  # the client asks again by itself
        hub.repo_id, [op for op in operations if isinstance(op, CommitOperationAdd)],
        repo_type="dataset", revision=revision, create_pr=create_pr, free_memory=False,
    )  # fmt: skip


def publish(
    hub: Hub,
    local: Mapping[str, LocalFile],
    earlier: Mapping[str, str],
    head: str,
    options: PushOptions,
    message: str,
) -> tuple[str, str]:
    """Fill a pull request and merge it; (commit, the revision that readers find it under).

    With `create_pr` it is left open. Raises `UserError` where the branch has changed meanwhile.
    """
    if options.revision != MAIN:
        raise UserError(
            f"--revision {options.revision}: a build of so many files goes through a pull request, "
            f"which the Hub merges into {MAIN} only; push it there, or make files larger with "
            "`lego-arta build --shard-size`"
        )
    title = f"{message} [{local[MANIFEST].sha256[:16]}]"
    pull, failed = _find(hub, title), 0
    for round_number in itertools.count(1):
        files = hub.files(pull.revision if pull else head)
        plan = make_plan(local, files, earlier)
        if plan.is_empty and pull:
            break
        batch = operations_of(plan, local)[: options.batch_files]
        left = len(plan.added) + len(plan.changed) + len(plan.deleted)
        log.info("batch %d: %d of %d files that are left", round_number, len(batch), left)
        try:
            pull = _commit(hub, batch, pull, head, title)
            failed = 0
        except Exception as error:
            failed += 1
            if status_of(error) not in (409, 412) and not is_transient(error):
                raise
            if failed >= hub.patience.tries:
                raise
            hub.say_waiting(failed, error)
            time.sleep(hub.pause_s(failed, error))
            pull = pull or _find(hub, title)  # the answer may be lost of a yes
    assert pull
    if options.create_pr:
        return hub.dataset(pull.revision).sha, pull.revision
    return _merge(hub, pull, local, earlier, head), MAIN


def _find(hub: Hub, title: str) -> Pull | None:
    """The open pull request of this very build, if an earlier push has begun it."""
    pulls = hub.call(lambda: list(hub.api.get_repo_discussions(
        hub.repo_id, repo_type="dataset", discussion_type="pull_request",
        discussion_status="open")))  # fmt: skip
    for pull in pulls:
        if pull.title == title and pull.git_reference:
            log.info("going on with %s", pull.git_reference)
            return Pull(pull.num, pull.git_reference)
    return None


def _commit(hub: Hub, batch: list[Any], pull: Pull | None, head: str, title: str) -> Pull:
    """Put a batch on the pull request, which the first one makes."""
    revision = pull.revision if pull else MAIN
    upload(hub, batch, revision, create_pr=pull is None)
    parent = hub.dataset(pull.revision).sha if pull else head
    info = hub.api.create_commit(
        hub.repo_id, batch, commit_message=title, repo_type="dataset", revision=revision,
        create_pr=pull is None, parent_commit=parent,
    )  # fmt: skip
    return pull or Pull(int(info.pr_num or 0), str(info.pr_revision))


def _merge(
    hub: Hub, pull: Pull, local: Mapping[str, LocalFile], earlier: Mapping[str, str], head: str
) -> str:
    """The one moment; returns the commit on main. Asked again, it looks whether it was done."""
    for attempt in range(1, hub.patience.tries + 1):
        now = str(hub.dataset(MAIN).sha)
        if now != head:
            if make_plan(local, hub.files(now), earlier).is_empty:
                return now
            raise UserError(
                f"{hub.repo_id}: somebody else committed to {MAIN} meanwhile ({now[:12]}); nothing "
                f"was published; look at what they did, close pull request {pull.num} and run again"
            )
        try:
            hub.api.merge_pull_request(hub.repo_id, pull.num, repo_type="dataset")
        except Exception as error:
            if not is_transient(error) or attempt == hub.patience.tries:
                raise
            hub.say_waiting(attempt, error)
            time.sleep(hub.pause_s(attempt, error))
    now = str(hub.dataset(MAIN).sha)
    if now == head:
        raise UserError(f"{hub.repo_id}: pull request {pull.num} was not merged; run again")
    return now
