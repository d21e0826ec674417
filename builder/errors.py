"""What went wrong, in a line for a person."""

import errno
from concurrent.futures.process import BrokenProcessPool

from builder.records import UserError


def describe(error: Exception) -> str:
    """One line for a person: what happened, and what to do about it."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space left on the disk ({error.filename or 'output'}); free some and run again"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename}: a file stands where a folder is needed; choose another place"
    if isinstance(error, PermissionError):
        return f"{error.filename}: not allowed; choose a folder you may write to"
    if isinstance(error, BrokenProcessPool):
        return "a worker process was killed (out of memory?); run again with fewer --workers"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}; run again with --debug for the traceback"
