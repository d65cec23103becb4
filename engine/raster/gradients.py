"""CSS gradients as SVG images, which the HTML engine can paint while it cannot paint CSS gradients."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass

_CALL = re.compile(r"(?<![\w-])(linear|radial)-gradient\(", re.IGNORECASE)
_ANGLE = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(deg|grad|rad|turn)?", re.IGNORECASE)
_PLACE = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))%|0")
_COLOR = re.compile(r"#[0-9a-f]{3,8}|[a-z]+|(?:rgb|hsl)a?\([\d\s.,%/+a-z-]*\)", re.IGNORECASE)
_DEGREES = {"deg": 1.0, "grad": 0.9, "rad": 180 / math.pi, "turn": 360.0, None: 1.0}
_SIDES = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1), "center": (0, 0)}
_MAX_STOPS = 100


@dataclass(frozen=True, slots=True)
class _Stop:
    """A colour stop. place: share of the gradient's length, if given."""

    color: str
    place: float | None


def paint_gradients(value: str) -> str | None:
    """Return a CSS `background` with each gradient as an SVG image; None if one cannot be converted.

    The images must be stretched to the box. An angle means what it means in a square.
    """
    parts: list[str] = []
    position = 0
    for found in _CALL.finditer(value):
        end = _closing(value, found.end())
        svg = _svg(found[1].lower(), _split(value[found.end() : end])) if end >= 0 else None
        if svg is None or found.start() < position:
            return None
        parts += [value[position : found.start()], f"url(data:image/svg+xml;base64,{base64.b64encode(svg).decode()})"]
        position = end + 1
    rest = "".join((*parts, value[position:]))
    return rest if parts and "-gradient(" not in rest.lower() else None


def _closing(text: str, start: int) -> int:
    """Return the index of the bracket that closes the one before `start`, or -1."""
    depth = 1
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if not depth:
            return index
    return -1


def _split(text: str, at: str = ",") -> list[str]:
    """Split text at separators outside brackets."""
    parts, depth, begin = [], 0, 0
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth and character == at:
            parts.append(text[begin:index].strip())
            begin = index + 1
    return [*parts, text[begin:].strip()]


def _svg(kind: str, arguments: list[str]) -> bytes | None:
    geometry = _line(arguments[0]) if kind == "linear" else _circle(arguments[0])
    given = arguments if geometry is None else arguments[1:]
    if geometry is None:
        geometry = _line("180deg") if kind == "linear" else _circle("ellipse")
    stops = [stop for text in given for stop in _stops(text)]
    if not 2 <= len(stops) <= _MAX_STOPS or not all(stop.color for stop in stops):
        return None
    inside = "".join(
        f"<stop offset='{place:.5g}' style='stop-color:{color}' stop-opacity='{opacity}'/>"
        for color, opacity, place in _placed(stops)
    )
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' width='100' height='100' viewBox='0 0 100 100'"
        f" preserveAspectRatio='none'><defs><{kind}Gradient id='g' {geometry}>{inside}</{kind}Gradient></defs>"
        "<rect width='100' height='100' fill='url(#g)'/></svg>"
    ).encode()


def _line(text: str) -> str | None:
    """Return the ends of a linear gradient in a square of size 1; None if the text names no direction."""
    words = text.lower().split()
    if words[:1] == ["to"] and len(words) in (2, 3) and all(word in _SIDES for word in words[1:]):
        dx, dy = (sum(_SIDES[word][axis] for word in words[1:]) for axis in (0, 1))
        angle = math.atan2(dx, -dy)
    elif (found := _ANGLE.fullmatch(text)) is not None:
        angle = math.radians(float(found[1]) * _DEGREES[found[2] and found[2].lower()])
    else:
        return None
    half = (abs(math.sin(angle)) + abs(math.cos(angle))) / 2
    x, y = math.sin(angle) * half, -math.cos(angle) * half
    return f"x1='{0.5 - x:.5g}' y1='{0.5 - y:.5g}' x2='{0.5 + x:.5g}' y2='{0.5 + y:.5g}'"


def _circle(text: str) -> str | None:
    """Return a radial gradient that reaches the farthest corner; None if the text names no shape or position."""
    shape, _, place = text.lower().partition("at ")
    if not set(shape.split()) <= {"circle", "ellipse", "farthest-corner"} or not text:
        return None
    x = y = 0.5
    for index, word in enumerate(place.split()):
        if (share := _PLACE.fullmatch(word)) is not None:
            x, y = (float(share[1] or 0) / 100, y) if index == 0 else (x, float(share[1] or 0) / 100)
        elif word in _SIDES:
            dx, dy = _SIDES[word]
            x, y = x + dx / 2, y + dy / 2
        else:
            return None
    radius = max(x, 1 - x, y, 1 - y) * math.sqrt(2)
    return f"cx='{x:.5g}' cy='{y:.5g}' r='{radius:.5g}'"


def _stops(text: str) -> list[_Stop]:
    """Return a colour at each of its positions; a stop without colour if the text cannot be read."""
    color, *places = _split(text, " ")
    shares = [_PLACE.fullmatch(place) for place in places if place]
    if not _COLOR.fullmatch(color) or not all(shares):
        return [_Stop("", None)]
    return [_Stop(color, float(share[1] or 0) / 100) for share in shares if share] or [_Stop(color, None)]


def _placed(stops: list[_Stop]) -> list[tuple[str, int, float]]:
    """Return colour, opacity and position of each stop; missing positions are spread evenly."""
    places = [stop.place for stop in stops]
    places[0] = places[0] or 0.0
    places[-1] = 1.0 if places[-1] is None else places[-1]
    result: list[tuple[str, int, float]] = []
    reached, at = 0.0, 0
    for index, stop in enumerate(stops):
        place = places[index]
        if place is None:
            after = next(later for later in range(index, len(places)) if places[later] is not None)
            place = reached + (max(reached, places[after] or 0.0) - reached) * (index - at) / (after - at)
            at = index
        else:
            at = index
        reached = max(reached, place)
        is_transparent = stop.color.lower() == "transparent"
        # A transparent stop takes its neighbour's colour instead of black.
        beside = stops[index - 1 if index else 1].color
        result.append((beside if is_transparent else stop.color, 0 if is_transparent else 1, reached))
    return result
