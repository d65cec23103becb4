"""Issues: errors, warnings and notes about an edit, each with a JSON Pointer to its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """An error, a warning or a note.

    pointer: JSON Pointer (RFC 6901) into the edit. code: stable, snake_case.
    """

    pointer: str
    code: str
    detail: str

    def prefixed(self, prefix: str) -> Issue:
        """Return the same issue with its pointer moved below `prefix`."""
        return Issue(prefix + self.pointer, self.code, self.detail)


def pointer(*parts: str | int) -> str:
    """Return the JSON Pointer of a path of keys and indexes."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
