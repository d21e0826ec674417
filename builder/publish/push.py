"""Push a build to the Hub: everything in one moment, or nothing.

The large files go up first, out of sight; then one commit, on top of the branch head that the plan
was made for, adds, changes and deletes all at once. So whatever happens, readers see the old build
or the new one. A killed or failed push is run again: what has gone up is not sent twice.
"""

import logging
import time
from pathlib import Path
from typing import Any

from builder.publish import batches
from builder.publish.hub import Hub, connected, is_transient, status_of
from builder.publish.options import MAIN, PushOptions
from builder.publish.plan import LocalFile, Plan, foreign_shards, local_files, make_plan
from builder.publish.remote import (
    Remote,
    branches_and_tags,
    look,
    open_pull,
    read_back,
    row_loader,
    was_edited,
)
from builder.release import formats, validate
from builder.release.recipe import terms_of
from core.build import DATASET_NAME, MANIFEST, Manifest, manifest_of
from core.cli import command
from core.errors import UserError
from core.storage import is_shared, local_copy
from tasks import EXAMPLE

log = logging.getLogger("lego_arta.push")


def push(build: Path, options: PushOptions) -> str | None:
    """Publish a build; returns the commit that holds it, None for a dry run. What lies on shared
    storage is copied here first.

    Raises `UserError` for anything that goes wrong; then the branch is what it was, unless the
    message says that the commit was made.
    """
    _manifest(build)
    if is_shared(build):
        log.info("copying %s here", build)
    with local_copy(build) as out:
        return _push(build, out, options)


def _push(build: Path, out: Path, options: PushOptions) -> str | None:
    if options.format:
        log.info("writing the rows as %s", options.format)
        build = out = formats.with_format(out.resolve(), options.format)
    manifest = _checked(out)
    local = local_files(out, manifest)
    with connected(options.repo_id, options.patience) as hub:
        _check_account(hub, options)
        remote = look(hub, options.revision, options.private, options.create_pr)
        plan = make_plan(local, remote.files, remote.earlier)
        _check_plan(hub, plan, local, remote, options)
        print(f"\n{build} -> {_address(hub)} ({options.revision})")
        print("\n".join(plan.lines()))
        print(f"licence of the pictures and texts: {terms_of(manifest).name}")
        if options.dry_run:
            print("a dry run: nothing was sent")
            return None
        with row_loader() as loader:
            commit, revision = _publish(hub, plan, local, remote, options, manifest)
            read_back(hub, local, manifest, commit, loader)
        if options.tag:
            _tag(hub, options.tag, commit)
    print(f"load it with: load_dataset({_load_words(options, revision)})")
    return commit


def check(options: PushOptions) -> None:
    """Raise `UserError` where the push of a build that is yet to be made could not sign in."""
    with connected(options.repo_id, options.patience) as hub:
        _check_account(hub, options)


def _manifest(build: Path) -> Manifest:
    """The manifest of a build, or of its recipe; raises `UserError` for anything else."""
    manifest = manifest_of(build)
    if manifest is None:
        raise UserError(f"{build}: not a build (no {MANIFEST} of {DATASET_NAME}); make one first")
    return manifest


def _checked(out: Path) -> Manifest:
    """The manifest of a build that keeps every invariant."""
    manifest = _manifest(out)
    log.info("checking %s", out)
    found = list(validate.violations(out))
    if found:
        raise UserError(
            f"{out}: not fit to publish, {len(found)} checks fail, the first: {found[0]}; "
            f"see them with: {command('validate', out)}"
        )
    return manifest


def _check_account(hub: Hub, options: PushOptions) -> None:
    """Fail now, not after the upload, if the token can't do it."""
    log.info("asking %s", hub.api.endpoint)
    account = hub.call(hub.api.whoami)
    role = account.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read" and not options.dry_run:
        raise UserError(
            f"the Hub token of {account['name']} may only read; make one that may write at "
            f"{hub.api.endpoint}/settings/tokens"
        )


def _check_plan(
    hub: Hub, plan: Plan, local: dict[str, LocalFile], remote: Remote, options: PushOptions
) -> None:
    """Refuse to touch what others wrote, or to publish beside what would be read as ours."""
    script = f"{hub.repo_id.split('/')[1]}.py"
    strangers = foreign_shards(local, remote.files, remote.earlier)
    if script in remote.files:
        strangers.append(script)  # `datasets` refuses a repository with a script of its name
    if strangers:
        raise UserError(
            f"{hub.repo_id}: {strangers[0]} is not part of a build, but people who load the "
            "dataset would get it; delete it on the Hub, or push to another repository"
        )
    edited = [
        name
        for name in sorted({**plan.changed, **plan.deleted})
        if not options.create_pr and was_edited(hub, name, remote)
    ]
    if edited:
        raise UserError(
            f"{hub.repo_id}: somebody else wrote {', '.join(edited)} since the last push; push "
            "with --create-pr so that people can look at the difference, or put the file back"
        )
    if remote.head and (options.tag or options.revision != MAIN):
        _check_refs(hub, plan, remote, options)


def _check_refs(hub: Hub, plan: Plan, remote: Remote, options: PushOptions) -> None:
    """Refuse names that are taken: tags are never moved, and a name is a branch or a tag."""
    branches, tags = hub.call(branches_and_tags, hub)
    if options.revision in tags and options.revision not in branches:
        raise UserError(
            f"{hub.repo_id}: --revision {options.revision} is a tag there, and tags are never "
            "moved; give a branch"
        )
    if options.tag in branches:
        raise UserError(
            f"{hub.repo_id}: --tag {options.tag} is a branch there; give a name like v1.0.0"
        )
    tagged = tags.get(options.tag or "")
    if tagged and (tagged != remote.head or not plan.is_empty):
        raise UserError(
            f"{hub.repo_id}: the tag {options.tag} exists and holds another build; give a new name"
        )


# Publishing --------------------------------------------------------------------------------------


def _publish(
    hub: Hub,
    plan: Plan,
    local: dict[str, LocalFile],
    remote: Remote,
    options: PushOptions,
    manifest: Manifest,
) -> tuple[str, str]:
    """Upload and commit; (commit, the revision that readers find it under)."""
    if remote.head and plan.is_empty and remote.branch_exists:
        print("nothing to change: the Hub has this build")
        return remote.head, options.revision
    if options.create_pr and remote.head and (pull := open_pull(hub, local, remote.earlier)):
        print(f"nothing to do: {pull[1]} has this build")
        return pull
    head = remote.head or _make_repo(hub, options)
    if not remote.branch_exists and options.revision != MAIN:
        hub.call(
            hub.api.create_branch, hub.repo_id, repo_type="dataset", branch=options.revision,
            revision=head, exist_ok=True,
        )  # fmt: skip
        print(f"made the branch {options.revision}")
    if plan.is_empty:
        return head, options.revision
    operations = batches.operations_of(plan, local)
    message = options.message or f"{DATASET_NAME} {manifest['version']}: {_rows(manifest)} rows"
    if len(operations) > options.batch_files:
        commit, revision = batches.publish(hub, local, remote.earlier, head, options, message)
    else:
        started = time.monotonic()
        batches.upload(hub, operations, options.revision, options.create_pr)
        log.info("uploaded in %.1f s", time.monotonic() - started)
        commit, revision = _commit(hub, operations, head, local, remote, options, message)
    print(f"committed {commit} on {revision}")
    return commit, revision


def _make_repo(hub: Hub, options: PushOptions) -> str:
    """Make the repository; returns the head of its main branch."""
    hub.call(
        hub.api.create_repo, hub.repo_id, repo_type="dataset", private=options.private or None,
        exist_ok=True,
    )  # fmt: skip
    return str(hub.dataset(MAIN).sha)


def _commit(
    hub: Hub,
    operations: list[Any],
    head: str,
    local: dict[str, LocalFile],
    remote: Remote,
    options: PushOptions,
    message: str,
) -> tuple[str, str]:
    """The one commit. The client asks once only, for it can't know whether an answer that was lost
    was a yes; we can look.
    """
    for attempt in range(1, hub.patience.tries + 1):
        try:
            info = hub.api.create_commit(
                hub.repo_id, operations, commit_message=message, repo_type="dataset",
                revision=options.revision, create_pr=options.create_pr, parent_commit=head,
            )  # fmt: skip
            return info.oid, info.pr_revision or options.revision
        except Exception as error:
            status = status_of(error)
            if status not in (409, 412) and not is_transient(error):
                raise
            done = _landed(hub, head, local, remote, options)
            if done:
                return done
            if status == 412 or attempt == hub.patience.tries:
                raise
            hub.say_waiting(attempt, error)
            time.sleep(hub.pause_s(attempt, error))
    raise AssertionError("unreachable")


def _landed(
    hub: Hub, head: str, local: dict[str, LocalFile], remote: Remote, options: PushOptions
) -> tuple[str, str] | None:
    """Where our commit is, if the Hub has it; raises `UserError` when another came first."""
    if options.create_pr:
        return open_pull(hub, local, remote.earlier)
    now = hub.dataset(options.revision).sha
    if now == head:
        return None
    if make_plan(local, hub.files(now), remote.earlier).is_empty:
        return now, options.revision
    raise UserError(
        f"{hub.repo_id}: somebody else committed to {options.revision} meanwhile ({now[:12]}); "
        "nothing was published; look at what they did and run again"
    )


# Afterwards --------------------------------------------------------------------------------------


def _tag(hub: Hub, tag: str, commit: str) -> None:
    hub.call(
        hub.api.create_tag, hub.repo_id, repo_type="dataset", tag=tag, revision=commit,
        exist_ok=True,
    )  # fmt: skip
    found = hub.call(branches_and_tags, hub)[1].get(tag)
    if found != commit:
        raise UserError(
            f"{hub.repo_id}: commit {commit} was made, but the tag {tag} names {found}; "
            "push again with another --tag"
        )
    print(f"tagged {tag}")


def _address(hub: Hub) -> str:
    return f"{hub.api.endpoint}/datasets/{hub.repo_id}"


def _load_words(options: PushOptions, revision: str) -> str:
    name = options.tag or (revision if revision != MAIN else None)
    return f'"{options.repo_id}", "{EXAMPLE}"' + (f', revision="{name}"' if name else "")


def _rows(manifest: Manifest) -> str:
    return f"{sum(sum(splits.values()) for splits in manifest['rows'].values()):,}"
