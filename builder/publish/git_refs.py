"""Names of branches and tags: git's own rules, known before anything is sent."""

import re

# git-check-ref-format(1), for a name that follows refs/heads/ or refs/tags/.
_RULES = (
    (re.compile(r"^\Z"), "it is empty"),
    (re.compile(r"[\x00-\x20\x7f]"), "it has a space or a control character"),
    (re.compile(r"[~^:?*\[\\]"), "it has one of ~ ^ : ? * [ \\"),
    (re.compile(r"\.\."), "it has two dots in a row"),
    (re.compile(r"@\{"), "it has @{"),
    (re.compile(r"^/|/\Z|//"), "it begins or ends with /, or has two in a row"),
    (re.compile(r"(^|/)\."), "it or a part of it begins with a dot"),
    (re.compile(r"\.lock(/|\Z)"), "it or a part of it ends with .lock"),
    (re.compile(r"\.\Z"), "it ends with a dot"),
    # What `git branch` and `git tag` refuse beyond that.
    (re.compile(r"^-"), "it begins with -"),
    (re.compile(r"^HEAD\Z"), "HEAD is no branch or tag"),
)
# The Hub, like git, takes such a name for a commit.
_COMMIT = (re.compile(r"^[0-9a-fA-F]{40}\Z"), "it reads as a commit")


def problem(name: str) -> str | None:
    """What keeps a text from naming a branch or tag, None when nothing does."""
    for pattern, text in (*_RULES, _COMMIT):
        if pattern.search(name):
            return text
    return None
