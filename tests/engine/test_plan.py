"""The plan and the command: pure data, checked without running FFmpeg."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from engine.graph import RenderPaths, compile_plan
from engine.graph.expressions import expression, number
from engine.graph.video_filters import sample
from engine.media import MediaInfo, MediaKind
from engine.plan import make_plan
from engine.plan.geometry import fit_picture
from engine.plan.model import PiecewiseLinear, SequenceSource
from engine.plan.motion import ease, value_at
from engine.raster.model import Raster, RasterFrame
from engine.timeline.model import Crop, Curve, Effect, Keyframe, OutputSpec, Sound, TimedClip, Timeline, Transition

PATHS = RenderPaths(Path("/bin/ffmpeg"), Path("/scratch"), Path("/out/.video.partial"), Path("/out/.poster.partial"))
PICTURE = MediaInfo(Path("/media/a.jpg"), MediaKind.IMAGE, "image/jpeg", 1, "jpeg_pipe", 1600, 900, video_codec="mjpeg")
VIDEO = MediaInfo(
    Path("/media/b.mp4"), MediaKind.VIDEO, "video/mp4", 1, "mov", 1280, 720, 10.0, 30.0, 300, "h264", "aac"
)


def clip(media, start=0, frames=25, track=0, **fields):
    return TimedClip(f"/c/{track}/{start}", track, start, frames, None, media, **fields)


def timeline(*clips, frames=50, first_frame=0, whole=None, **fields):
    spec = OutputSpec("mp4", 640, 360, Fraction(25), first_frame, frames, **fields)
    return Timeline(spec, "#102030", whole or frames, tuple(clips))


def compiled(*clips, **fields):
    return compile_plan(make_plan(timeline(*clips, **fields), {}), PATHS)


def titles(count, size=(200, 40), frames=2, **fields):
    """Return clips that follow one another and their drawn pictures."""
    clips = [clip(None, n * frames, frames, **fields) for n in range(count)]
    rasters = {c.pointer: Raster(*size, (RasterFrame(Path(f"/t/{n}.png"), frames),)) for n, c in enumerate(clips)}
    return clips, rasters


def test_compiles_a_known_plan_to_a_known_command():
    command = compiled(
        clip(VIDEO, 0, 50, track=1, trim_s=2.0, sound=Sound(Curve(0.5))),
        clip(PICTURE, 10, 20, fit="contain", scale=Curve(0.5), transition_in=Transition("fade", 5)),
    )
    tags = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"
    assert " ".join(command.argv) == (
        "/bin/ffmpeg -nostdin -hide_banner -v error -nostats -progress pipe:1 -stats_period 0.25 -y"
        " -protocol_whitelist file -f mov -colorspace bt709 -ss 2 -t 2.6 -an -sn -dn -i file:/media/b.mp4"
        " -protocol_whitelist file -f jpeg_pipe -threads 1 -i file:/media/a.jpg"
        " -protocol_whitelist file -f mov -vn -sn -dn -ss 2 -t 2.6 -i file:/media/b.mp4"
        " -/filter_complex /scratch/graph.txt -map [v] -map [a]"
        f" -c:v libx264 -preset veryfast -crf 23 -g 50 {tags} -c:a aac -b:a 192k"
        " -frames:v 50 -t 2.000000 -map_metadata -1 -map_chapters -1 -movflags +faststart -f mp4 /out/.video.partial"
        " -map [s0] -c:v mjpeg -q:v 3 -fps_mode passthrough -update 1 -f image2 /out/.poster.partial"
    )
    opaque, clear = (
        f"format={name}:color_spaces=bt709:color_ranges=tv" for name in ("yuv420p", "yuva420p")
    )  # fmt: skip
    still = "scale=320:180:flags=lanczos+accurate_rnd+full_chroma_int,setsar=1"
    faded = "loop=loop=-1:size=1,setpts=N,trim=end_frame=20,fade=t=in:start_frame=0:nb_frames=5:alpha=1"
    audio_chain = (
        "aresample=48000,aformat=sample_fmts=fltp:channel_layouts=stereo,atrim=end=2,asetpts=N/SR/TB,volume=0.5"
    )
    video = f"fps=fps=25/1:start_time=0,trim=end_frame=50,scale=640:360,setsar=1,{opaque},settb=1/25,{clear}"
    jpeg = "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p"
    assert command.script.splitlines() == [
        f"color=c=0x102030:s=640x360:r=25/1,trim=end_frame=50,settb=1/25,{opaque}[base];",
        f"[0:v:0]{video},setpts=N+0[l0a];",
        "[base][l0a]overlay=x='0':y='0':format=yuv420:eof_action=repeat:enable='between(n,0,49)'[l0o];",
        f"[1:v:0]{still},{clear},settb=1/25,{faded},setpts=N+10[l1a];",
        "[l0o][l1a]overlay=x='160':y='90':format=yuv420:eof_action=repeat:enable='between(n,10,29)'[l1o];",
        "[l1o]split=2[main][still0];",
        "[main]format=yuv420p[v];",
        f"[still0]trim=end_frame=17,select='eq(mod(n,291),16)',{jpeg}[s0];",
        f"[2:a:0]{audio_chain}[a0];",
        "[a0]apad,atrim=end=2[a]",
    ]


def test_same_plan_gives_the_same_command():
    clips = [clip(PICTURE, n, 25, track=n, effect=Effect("zoomIn", "slow")) for n in range(5)]
    assert compiled(*clips) == compiled(*clips)


def test_clips_that_are_never_visible_get_no_layer():
    hidden = [
        clip(PICTURE, 0, opacity=Curve(0.0)),
        clip(PICTURE, 0, offset_x=Curve(2.0), fit="none"),
        clip(PICTURE, 0, scale=Curve(0.0)),
        clip(PICTURE, 60, 10),
        clip(PICTURE, 0, crop=Crop(left=0.5, right=0.5)),
    ]
    assert make_plan(timeline(*hidden), {}).layers == ()


def test_source_is_cropped_to_the_viewport():
    (layer,) = make_plan(timeline(clip(PICTURE, scale=Curve(2.0))), {}).layers
    assert (layer.crop.x, layer.crop.y, layer.crop.width, layer.crop.height) == (400, 225, 800, 450)
    assert layer.size == (640, 360)


def test_range_skips_into_a_video_at_its_speed():
    (layer,) = make_plan(timeline(clip(VIDEO, 0, 100, trim_s=1.0, speed=2.0), first_frame=25, whole=100), {}).layers
    assert layer.source.seek_s == pytest.approx(3.0)
    assert (layer.start, layer.frames) == (0, 50)


def test_thousands_of_titles_are_one_input():
    clips, rasters = titles(3000)
    plan = make_plan(timeline(*clips, frames=6000), rasters)
    (layer,) = plan.layers
    assert isinstance(layer.source, SequenceSource)
    assert len(layer.source.pictures) == 3000
    assert (layer.start, layer.frames, layer.size) == (0, 6000, (200, 40))
    command = compile_plan(plan, PATHS)
    assert command.argv.count("-i") == 1
    assert len(command.script) < 2000


def test_gaps_between_titles_are_transparent():
    clips, rasters = titles(3)
    apart = [replace(c, start=c.start * 2) for c in clips]
    (layer,) = make_plan(timeline(*apart), {c.pointer: rasters[c.pointer] for c in apart}).layers
    spans = [(picture.path and picture.path.name, picture.start, picture.frames) for picture in layer.source.pictures]
    assert spans == [("0.png", 0, 2), (None, 2, 2), ("1.png", 4, 2), (None, 6, 2), ("2.png", 8, 2)]


def test_titles_that_overlap_keep_their_painting_order():
    clips, rasters = titles(3, frames=10)
    stacked = [replace(c, start=n * 5) for n, c in enumerate(clips)]
    plan = make_plan(timeline(*stacked), rasters)
    assert [layer.start for layer in plan.layers] == [0, 5, 10]


def test_titles_of_different_size_share_a_canvas_when_there_are_many():
    clips, rasters = titles(40)
    for n, c in enumerate(clips):
        rasters[c.pointer] = replace(rasters[c.pointer], width=100 + 2 * n, height=40)
    (layer,) = make_plan(timeline(*clips, frames=80), rasters).layers
    assert layer.size == (178, 40)
    assert [(picture.x, picture.y) for picture in layer.source.pictures][::39] == [(39, 0), (0, 0)]


def test_animated_drawing_fills_its_clip():
    drawn = clip(None, 0, 20)
    frames = tuple(RasterFrame(Path(f"/t/{n}.png"), 4) for n in range(3))
    (layer,) = make_plan(timeline(drawn), {drawn.pointer: Raster(100, 50, frames)}).layers
    assert [(picture.start, picture.frames) for picture in layer.source.pictures] == [(0, 4), (4, 4), (8, 12)]


def test_luma_clip_adds_no_audio_and_no_layer():
    masked = clip(PICTURE, luma=clip(replace(VIDEO, path=Path("/media/matte.mp4"))))
    command = compiled(masked)
    assert command.argv.count("-i") == 2
    assert not command.has_audio


@pytest.mark.parametrize(
    ("fit", "wanted"),
    [
        ("crop", (200, 0, 400, 400, 90, 90)),
        ("contain", (0, 0, 800, 400, 90, 45)),
        ("cover", (0, 0, 800, 400, 90, 90)),
        ("none", (0, 0, 800, 400, 800, 400)),
    ],
)
def test_fits_by_the_rules_of_the_format(fit, wanted):
    cut = fit_picture((800, 400), fit, (90, 90), Crop())
    assert (cut.left, cut.top, cut.width, cut.height, cut.shown_width, cut.shown_height) == pytest.approx(wanted)


def test_piecewise_linear_fit_stays_within_its_tolerance():
    values = [100 * ease("ease_in_out", n / 99) for n in range(100)]
    polyline = PiecewiseLinear.fit(values, 0.05)
    assert max(abs(a - b) for a, b in zip(sample(polyline, 100), values, strict=True)) <= 0.1
    assert len(polyline.points) < 50
    assert PiecewiseLinear.fit([n * 2.5 for n in range(100)], 0.01).points == ((0, 0.0), (99, 247.5))


def evaluate(text: str, variable: str, value: float) -> float:
    """Evaluate an FFmpeg expression in Python."""
    text = text.replace("if(", "choose(").replace(variable, f"({value})")
    return eval(text, {"choose": lambda c, a, b: a if c else b, "lt": lambda a, b: a < b, "clip": lambda v, a, b: min(max(v, a), b)})  # fmt: skip # noqa: E501


def test_expression_follows_its_points_and_is_constant_outside():
    polyline = PiecewiseLinear(((0, 5.0), (4, 9.0), (10, 3.0), (20, 3.0), (25, -1.0)))
    text = expression(polyline, "n")
    for frame, value in enumerate(sample(polyline, 26)):
        assert evaluate(text, "n", frame) == pytest.approx(value, abs=1e-6)
    assert evaluate(text, "n", -3) == 5
    assert evaluate(text, "n", 99) == -1


def test_expressions_of_many_points_nest_only_a_little():
    text = expression(PiecewiseLinear(tuple((n, float(n % 7)) for n in range(3000))), "n")
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    assert deepest < 30


def test_numbers_are_plain_decimals():
    assert [number(v) for v in (1.0, -0.0, 0.5, 1e-9, 123456.789)] == ["1", "0", "0.5", "0", "123456.789"]


def test_curves_hold_before_between_and_after_their_keyframes():
    curve = Curve(1.0, (Keyframe(5, 5, 0.0, 1.0), Keyframe(20, 10, 1.0, 3.0, "hold"), Keyframe(40, 4, 3.0, 7.0)))
    assert [value_at(curve, at) for at in (0, 5, 10, 15, 25, 35, 42, 99)] == [0, 0, 1, 1, 1, 3, 5, 7]


@pytest.mark.parametrize("name", ["linear", "ease_in", "ease_out", "ease_in_out", (0.42, 0.0, 0.58, 1.0)])
def test_easings_run_from_zero_to_one(name):
    values = [ease(name, n / 20) for n in range(21)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[-1] == pytest.approx(1, abs=1e-6)
    assert values == sorted(values)


def test_many_videos_are_decoded_by_one_thread_each():
    few = compiled(clip(VIDEO))
    many = compiled(*[clip(VIDEO, 0, 25, track=n) for n in range(6)])
    assert few.argv.count("-threads") == 0
    assert many.argv.count("-threads") == 6
