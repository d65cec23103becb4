"""Audio filters: one filter chain per audio layer, then a mix that keeps their levels."""

from __future__ import annotations

from fractions import Fraction

from engine.graph.expressions import expression, number, time_s
from engine.plan.model import AudioLayer

SAMPLE_RATE = 48_000


def tempo_filters(speed: float) -> list[str]:
    """Return the `atempo` filters for a speed; one filter at most halves it."""
    chain = []
    while speed < 0.5:
        chain.append("atempo=0.5")
        speed /= 0.5
    if abs(speed - 1) > 1e-6:
        chain.append(f"atempo={number(min(speed, 100.0))}")
    return chain


def audio_filter_chain(layer: AudioLayer, fps: Fraction) -> list[str]:
    """Return the filters from an audio layer's input to the mix."""
    length = time_s(layer.frames, fps)
    chain = [f"aresample={SAMPLE_RATE}", "aformat=sample_fmts=fltp:channel_layouts=stereo", *tempo_filters(layer.speed)]
    chain += [f"atrim=end={length}", "asetpts=N/SR/TB"]
    if not layer.volume.is_constant:
        volume = expression(layer.volume, f"(t*{number(float(fps))})")
        chain += ["asetnsamples=n=256:p=0", f"volume=volume='{volume}':eval=frame"]
    elif layer.volume.first != 1:
        chain.append(f"volume={number(layer.volume.first)}")
    if layer.fade_in:
        chain.append(f"afade=t=in:st=0:d={time_s(layer.fade_in, fps)}")
    if layer.fade_out:
        begin = time_s(layer.frames - layer.fade_out, fps)
        chain.append(f"afade=t=out:st={begin}:d={time_s(layer.fade_out, fps)}")
    if layer.start:
        chain.append(f"adelay=delays={round(float(layer.start / fps) * SAMPLE_RATE)}S:all=1")
    return chain


def mix_audio(labels: list[str], frames: int, fps: Fraction, out: str) -> list[str]:
    """Return the filter statements that mix audio layers to exactly `frames` frames.

    Levels are not normalized; a limiter catches the peaks of several loud layers.
    """
    end = f"apad,atrim=end={time_s(frames, fps)}"
    if not labels:
        return [f"anullsrc=r={SAMPLE_RATE}:cl=stereo,atrim=end={time_s(frames, fps)}[{out}]"]
    if len(labels) == 1:
        return [f"[{labels[0]}]{end}[{out}]"]
    inputs = "".join(f"[{label}]" for label in labels)
    mixed = f"amix=inputs={len(labels)}:normalize=0:duration=longest:dropout_transition=0"
    return [f"{inputs}{mixed},alimiter=limit=0.98:level=0:latency=1,{end}[{out}]"]
