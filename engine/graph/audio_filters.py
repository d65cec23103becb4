"""The sound part of the graph: one chain for each sound, then a mix that keeps their levels."""

from __future__ import annotations

from fractions import Fraction

from engine.graph.expressions import expression, number, time_s
from engine.plan.model import AudioLayer

SAMPLE_RATE = 48_000


def tempo_filters(speed: float) -> list[str]:
    """Return the tempo changes for a speed; one filter halves at most."""
    chain = []
    while speed < 0.5:
        chain.append("atempo=0.5")
        speed /= 0.5
    if abs(speed - 1) > 1e-6:
        chain.append(f"atempo={number(min(speed, 100.0))}")
    return chain


def audio_filter_chain(sound: AudioLayer, fps: Fraction) -> list[str]:
    """Return the filters from a sound's input to its place in the mix."""
    length = time_s(sound.frames, fps)
    chain = [f"aresample={SAMPLE_RATE}", "aformat=sample_fmts=fltp:channel_layouts=stereo", *tempo_filters(sound.speed)]
    chain += [f"atrim=end={length}", "asetpts=N/SR/TB"]
    if not sound.volume.is_constant:
        course = expression(sound.volume, f"(t*{number(float(fps))})")
        chain += ["asetnsamples=n=256:p=0", f"volume=volume='{course}':eval=frame"]
    elif sound.volume.first != 1:
        chain.append(f"volume={number(sound.volume.first)}")
    if sound.fade_in:
        chain.append(f"afade=t=in:st=0:d={time_s(sound.fade_in, fps)}")
    if sound.fade_out:
        begin = time_s(sound.frames - sound.fade_out, fps)
        chain.append(f"afade=t=out:st={begin}:d={time_s(sound.fade_out, fps)}")
    if sound.start:
        chain.append(f"adelay=delays={round(float(sound.start / fps) * SAMPLE_RATE)}S:all=1")
    return chain


def mix_audio(labels: list[str], frames: int, fps: Fraction, out: str) -> list[str]:
    """Return the statements that mix sounds to exactly the length of the output.

    Levels are kept as they are; a limiter catches what several loud sounds add up to.
    """
    end = f"apad,atrim=end={time_s(frames, fps)}"
    if not labels:
        return [f"anullsrc=r={SAMPLE_RATE}:cl=stereo,atrim=end={time_s(frames, fps)}[{out}]"]
    if len(labels) == 1:
        return [f"[{labels[0]}]{end}[{out}]"]
    inputs = "".join(f"[{label}]" for label in labels)
    mixed = f"amix=inputs={len(labels)}:normalize=0:duration=longest:dropout_transition=0"
    return [f"{inputs}{mixed},alimiter=limit=0.98:level=0:latency=1,{end}[{out}]"]
