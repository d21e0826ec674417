"""Memory of a command and its workers, as the other measurements read it."""

import psutil

# Asking for proportional sizes costs the kernel time, so not too often.
SAMPLE_S = 0.5


def resident_bytes(process: psutil.Process) -> int:
    """Proportional set size of a process and its children, so shared pages count once."""
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_full_info().pss
    except psutil.Error:  # it ended between listing and asking
        return 0
    return total
