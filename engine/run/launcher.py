"""Become FFmpeg under limits: run as a script with the limits and the command as arguments.

Usage: launcher.py PARENT_PID NICE ADDRESS_SPACE FILE_SIZE CPU_S -- COMMAND...

A separate program, because setting limits between fork and exec in a process with threads is not safe. It imports
nothing of the project and starts in a few milliseconds under `python -I -S`.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
# Threads get a stack of this size; the default of 8 MiB would use up the address space of a graph with many inputs.
STACK_BYTES = 2 * 1024 * 1024


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends, and leave at once if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit(kind: int, value: int) -> None:
    """Set a limit, never above the hard limit that is already there."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, hard))


def main() -> None:
    """Apply the limits and become the command."""
    parent, niceness, address_space, file_size, cpu_s = (int(value) for value in sys.argv[1:6])
    command = sys.argv[7:]
    die_with_parent(parent)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_STACK, STACK_BYTES)
    limit(resource.RLIMIT_FSIZE, file_size)
    limit(resource.RLIMIT_CPU, cpu_s)
    if sys.platform == "linux":
        limit(resource.RLIMIT_AS, address_space)
    os.nice(niceness)
    os.execv(command[0], command)  # noqa: S606  (the point of this program)


if __name__ == "__main__":
    main()
