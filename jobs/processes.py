"""Child processes that end with their parent."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

# prctl(2), Linux only.
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


# The `preexec_fn` of a child that must not outlive its parent, even after SIGKILL; None where unsupported.
# Only for single-threaded programs, as it runs between fork and exec.
die_with_parent: Callable[[], None] | None = _die_with_parent if sys.platform == "linux" else None
