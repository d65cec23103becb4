"""DNS resolution with a time limit.

The system's resolver has none that a caller could set: an unresponsive name server would block the thread for half a
minute.
"""

from __future__ import annotations

import queue
import threading

from outbound.targets import Resolver, system_resolver

_Result = list[str] | OSError | UnicodeError


def with_timeout(limit_s: float, resolver: Resolver = system_resolver) -> Resolver:
    """Return a resolver that raises TimeoutError, an OSError as for an unknown name, after `limit_s`."""

    def resolve(host: str, port: int) -> list[str]:
        answers: queue.SimpleQueue[_Result] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(resolver(host, port))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        # After a timeout the thread lives on until the system gives up; it cannot be stopped.
        threading.Thread(target=look_up, name="resolve", daemon=True).start()
        try:
            answer = answers.get(timeout=limit_s)
        except queue.Empty:
            raise TimeoutError(f"no answer within {limit_s:g} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    return resolve
