"""What went wrong, in a line for a person."""

import errno
from concurrent.futures import BrokenExecutor


class UserError(Exception):
    """Something the user can mend. The message is one line: what, the value found, the cure."""


class LeaseLost(BaseException):
    """Another run works where this one did: it ends at once, and touches nothing there."""


def describe(error: BaseException) -> str:
    """One line for a person: what happened, and what to do about it."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space left on the disk ({error.filename or 'output'}); free some and run again"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename}: a file stands where a folder is needed; choose another place"
    if isinstance(error, PermissionError):
        return f"{error.filename}: not allowed; choose one that you may read and write"
    if isinstance(error, IsADirectoryError):
        name = error.filename2 or error.filename
        return f"{name}: a folder stands where a file is needed; choose another place"
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: not there; give the path of one that is"
    if isinstance(error, BrokenExecutor):
        return "a worker process was killed (out of memory?); run again with fewer --workers"
    return f"{type(error).__name__}: {text}; run again with --debug for the traceback"
