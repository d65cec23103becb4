"""FFmpeg launcher: applies the limits, then becomes the command.

Usage: launcher.py PARENT_PID NICE ADDRESS_SPACE FILE_SIZE CPU_S -- COMMAND...

A separate program, because setting limits between fork and exec is not safe in a process with threads. It imports
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
# The kernel accepts ten changes a second from all unprivileged processes together, so renders that start at the same
# time retry after random delays.
AUTOGROUP_TRIES, AUTOGROUP_RETRY_S = 30, (0.05, 0.15)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends, and exit now if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit(kind: int, value: int) -> None:
    """Set a limit, at most the current hard limit."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, hard))


def lower_priority(niceness: int) -> None:
    """Lower the CPU priority of this process.

    Most kernels share CPU time between sessions (autogroup), where niceness has no effect on other sessions: the
    process's own session is lowered with it. At the lowest niceness its threads are also SCHED_IDLE, so that any other
    thread that wakes up preempts them. Without autogroup that could starve them, so there they are SCHED_BATCH, which
    never preempts others. Source: sched(7).
    """
    os.nice(niceness)
    if sys.platform != "linux" or not niceness:
        return
    is_lowered = os.getsid(0) == os.getpid() and lower_autogroup(niceness)
    is_idle = is_lowered and niceness == LOWEST_NICENESS
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE if is_idle else os.SCHED_BATCH, os.sched_param(0))


def lower_autogroup(niceness: int) -> bool:
    """Lower the share of this session; return whether the kernel shares CPU time between sessions."""
    for _ in range(AUTOGROUP_TRIES):
        try:
            # pathlib takes longer to load than everything else here.
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
    """Apply the limits and execute the command."""
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
