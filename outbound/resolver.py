"""Look names up within a time limit.

The system's resolver has none that a caller could set: somebody whose name server never answers would hold the thread
for half a minute.
"""

from __future__ import annotations

import queue
import threading

from outbound.targets import Resolver, system_resolver

_Result = list[str] | OSError | UnicodeError


def with_timeout(limit_s: float, resolver: Resolver = system_resolver) -> Resolver:
    """Return a resolver that gives up after a time, with an OSError as for a name that is not known."""

    def resolve(host: str, port: int) -> list[str]:
        answers: queue.SimpleQueue[_Result] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(resolver(host, port))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        # Given up, the thread ends when the system does give up: nothing can end it sooner.
        threading.Thread(target=ask, name="resolve", daemon=True).start()
        try:
            answer = answers.get(timeout=limit_s)
        except queue.Empty:
            raise TimeoutError(f"no answer within {limit_s:g} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    return resolve
