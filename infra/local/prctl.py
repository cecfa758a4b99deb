"""The three process attributes of Linux that keep a stack together, through `prctl(2)`."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

# Loaded at import: a child that was just forked must not have to take the loader's lock.
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: object) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with(parent_pid: int, death_signal: signal.Signals) -> None:
    """Have the kernel send `death_signal` to this process when its parent `parent_pid` is gone.

    Call it after any change of user, which clears the setting. A parent that died in between is noticed here.
    """
    _prctl(_PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), death_signal)


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent exits."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Set the short name (15 bytes) that `ps` and `top` show."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]))
