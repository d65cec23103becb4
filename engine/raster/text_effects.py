"""Text effects on the alpha mask of drawn text, which the HTML engine lacks: outline, shadow, gradient."""

from __future__ import annotations

import math

from PIL import Image, ImageChops, ImageColor, ImageFilter

from engine.raster.job import GradientSpec, RasterLayer, ShadowSpec

_OVERSAMPLE = 2
_OVERSAMPLED_PIXELS = 1_000_000
_RIM_STEPS = 16
_NEXT = {(1, 0), (-1, 0), (0, 1), (0, -1)}
_BLUR_REACH = 3  # beyond three deviations a Gaussian is below the precision of 8 bits


def apply_text_effects(picture: Image.Image, layer: RasterLayer) -> Image.Image:
    """Return the picture with a gradient in its glyphs, an outline around them and a shadow below both.

    picture: RGBA, straight alpha, text on a transparent background. Only the area that the effects reach is processed.
    """
    box = picture.getbbox()
    if box is None:
        return picture
    reach = math.ceil(layer.stroke.reach_px) + 2 if layer.stroke else 0
    if layer.shadow:
        drift = max(abs(layer.shadow.x_px), abs(layer.shadow.y_px))
        reach += math.ceil(drift + _BLUR_REACH * layer.shadow.blur_px)
    area = (box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach)
    result = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    result.paste(_with_effects(picture.crop(area), layer), area[:2])
    return result


def _with_effects(picture: Image.Image, layer: RasterLayer) -> Image.Image:
    mask = picture.getchannel("A")
    result = fill_gradient(picture, layer.gradient) if layer.gradient else picture
    result = fade(result, layer.fill_opacity)
    if layer.stroke and layer.stroke.reach_px > 0:
        outline = colorize(dilate_mask(mask, layer.stroke.reach_px), layer.stroke.color)
        result = Image.alpha_composite(outline, result)
    if layer.shadow:
        result = Image.alpha_composite(draw_shadow(result.getchannel("A"), layer.shadow), result)
    return result


def fade(picture: Image.Image, opacity: float) -> Image.Image:
    """Return the picture with its alpha multiplied by `opacity`, 0 to 1."""
    if opacity >= 1:
        return picture
    faded = picture.copy()
    faded.putalpha(picture.getchannel("A").point([round(value * max(0.0, opacity)) for value in range(256)]))
    return faded


def colorize(mask: Image.Image, color: str) -> Image.Image:
    """Return one colour with a mask as its alpha. mask: L. color: `#RRGGBBAA`; its alpha scales the mask."""
    red, green, blue, alpha = rgba(color)
    picture = Image.new("RGBA", mask.size, (red, green, blue, 0))
    picture.putalpha(mask if alpha == 255 else mask.point([value * alpha // 255 for value in range(256)]))
    return picture


def dilate_mask(mask: Image.Image, reach_px: float) -> Image.Image:
    """Return the mask dilated by a disc of that radius, with smooth edges.

    Processes the drawn part alone, at twice the size unless that part is very large.
    """
    box = mask.getbbox()
    if box is None:
        return mask
    pad = math.ceil(reach_px) + 2
    part = mask.crop((box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad))
    factor = _OVERSAMPLE if part.width * part.height <= _OVERSAMPLED_PIXELS else 1
    grown = part.resize((part.width * factor, part.height * factor), Image.Resampling.BICUBIC)
    for radius in _dilation_steps(reach_px * factor):
        before = grown
        for dx, dy in _ring_offsets(radius):
            grown = ImageChops.lighter(grown, ImageChops.offset(before, dx, dy))
    result = Image.new("L", mask.size, 0)
    result.paste(grown.resize(part.size, Image.Resampling.BOX), (box[0] - pad, box[1] - pad))
    return result


def _dilation_steps(radius: float) -> list[float]:
    """Return radii of discs that add up to one disc.

    Dilating by one disc and then by another equals dilating by the sum of their radii. Each step at most doubles the
    radius reached, so that the rim alone, without the inside, leaves no hole.
    """
    steps: list[float] = []
    reached = 0.0
    while radius - reached > 0.01:
        step = min(radius - reached, max(reached, 2.0))
        steps.append(step)
        reached += step
    return steps


def _ring_offsets(radius: float) -> set[tuple[int, int]]:
    """Return offsets around the rim of a disc, in whole pixels, and next to its centre: the first step needs both."""
    turns = [2 * math.pi * step / _RIM_STEPS for step in range(_RIM_STEPS)]
    return {(round(radius * math.cos(turn)), round(radius * math.sin(turn))) for turn in turns} | _NEXT


def draw_shadow(mask: Image.Image, shadow: ShadowSpec) -> Image.Image:
    """Return the mask's blurred, shifted, coloured shadow as RGBA."""
    moved = shift(mask, round(shadow.x_px), round(shadow.y_px))
    if shadow.blur_px > 0:
        moved = moved.filter(ImageFilter.GaussianBlur(shadow.blur_px))
    return colorize(moved, shadow.color)


def shift(picture: Image.Image, x_px: int, y_px: int) -> Image.Image:
    """Return the picture moved by whole pixels; the rest is transparent."""
    if (x_px, y_px) == (0, 0):
        return picture
    result = Image.new(picture.mode, picture.size, 0)
    result.paste(picture, (x_px, y_px))
    return result


def fill_gradient(picture: Image.Image, gradient: GradientSpec) -> Image.Image:
    """Return the picture's glyphs filled with a gradient over the glyphs' own box."""
    box = picture.getbbox()
    if box is None:
        return picture
    width, height = box[2] - box[0], box[3] - box[1]
    ramp = _ramp(width, height, gradient.angle_deg)
    channels = [ramp.point(table) for table in _tables(gradient.stops)]
    mask = picture.crop(box).getchannel("A")
    alpha = ImageChops.multiply(channels[3], mask)
    result = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    result.paste(Image.merge("RGBA", (*channels[:3], alpha)), box[:2])
    return result


def _ramp(width: int, height: int, angle_deg: float) -> Image.Image:
    """Return an L picture that rises from 0 to 255 along the angle across the whole box."""
    turn = math.radians(angle_deg)
    cos, sin = math.cos(turn), math.sin(turn)
    span = (abs(width * cos) + abs(height * sin)) or 1.0
    start = (width * cos + height * sin) / 2 - span / 2
    # Pillow's ramp rises downwards over 256 rows, so the source row is the projection on the gradient's axis.
    scale = 255.0 / span
    row = (cos * scale, sin * scale, -start * scale)
    return Image.linear_gradient("L").transform(
        (width, height), Image.Transform.AFFINE, (0, 0, 128, *row), Image.Resampling.BILINEAR
    )


def _tables(stops: tuple[tuple[float, str], ...]) -> list[list[int]]:
    """Return a 256-entry lookup table for each of red, green, blue and alpha."""
    points = [(offset, rgba(color)) for offset, color in stops]
    tables: list[list[int]] = [[], [], [], []]
    for index in range(256):
        position = index / 255
        # Of several stops at one offset, the last applies to what follows and the first to what precedes.
        before = next((point for point in reversed(points) if point[0] <= position), points[0])
        after = next((point for point in points if point[0] >= position), points[-1])
        room = after[0] - before[0]
        share = (position - before[0]) / room if room > 0 else 0.0
        for channel, table in enumerate(tables):
            table.append(round(before[1][channel] + (after[1][channel] - before[1][channel]) * share))
    return tables


def rgba(color: str) -> tuple[int, int, int, int]:
    """Return the four channels of `#RRGGBB` or `#RRGGBBAA`."""
    red, green, blue, *alpha = ImageColor.getrgb(color)
    return red, green, blue, alpha[0] if alpha else 255
