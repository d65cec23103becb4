"""Become FFmpeg under limits: run as a script with the limits and the command as arguments.

Usage: launcher.py PARENT_PID NICE ADDRESS_SPACE FILE_SIZE CPU_S -- COMMAND...

A separate program, because setting limits between fork and exec in a process with threads is not safe. It imports
nothing of the project and starts in a few milliseconds under `python -I -S`.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
# Threads get a stack of this size; the default of 8 MiB would use up the address space of a graph with many inputs.
STACK_BYTES = 2 * 1024 * 1024
LOWEST_NICENESS = 19
AUTOGROUP_SWITCH = "/proc/sys/kernel/sched_autogroup_enabled"
AUTOGROUP_FILE = "/proc/self/autogroup"
# The kernel takes ten changes a second, of all processes without privileges together: renders that begin at one time
# take turns, and not in step.
AUTOGROUP_TRIES, AUTOGROUP_RETRY_S = 30, (0.05, 0.15)


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


def lower_priority(niceness: int) -> None:
    """Let others have the processor first: the more, the nicer.

    Most kernels share time out by session (autogroup), where niceness says nothing outside of one: a whole session of
    its own steps back with the process. At the lowest niceness its threads are idle ones too, and whoever else wakes
    up goes on at once; where time is not shared out by session that could leave nothing at all, so there they are
    only such as never push others aside. Source: sched(7).
    """
    os.nice(niceness)
    if sys.platform != "linux" or not niceness:
        return
    is_lowered = os.getsid(0) == os.getpid() and lower_autogroup(niceness)
    is_idle = is_lowered and niceness == LOWEST_NICENESS
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE if is_idle else os.SCHED_BATCH, os.sched_param(0))


def lower_autogroup(niceness: int) -> bool:
    """Return whether the kernel shares time out by session, and now less of it to this one."""
    for _ in range(AUTOGROUP_TRIES):
        try:
            # pathlib takes longer to load than all else here.
            with open(AUTOGROUP_SWITCH) as switch:  # noqa: PTH123 - see above
                is_on = switch.read().strip() == "1"
            with open(AUTOGROUP_FILE, "w") as group:  # noqa: PTH123 - as above
                group.write(str(niceness))
        except BlockingIOError:
            time.sleep(AUTOGROUP_RETRY_S[0] + os.urandom(1)[0] / 255 * (AUTOGROUP_RETRY_S[1] - AUTOGROUP_RETRY_S[0]))
        except OSError:
            return False
        else:
            return is_on
    return False


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
    lower_priority(niceness)
    os.execv(command[0], command)  # noqa: S606  (the point of this program)


if __name__ == "__main__":
    main()
