"""Timelines: edits resolved to the frame grid."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import pytest

from engine.errors import EditInvalid
from engine.media import MediaInfo, MediaKind
from engine.timeline import estimate, resolve
from engine.timeline.model import ChromaKey, Crop, Effect, Keyframe, Sound, Transition
from tests.engine.edit_factories import asset, edit_of, parsed, picture, sound, title, video

VIDEO, STILL, TONE, MATTE, ANIMATION, WORDS, TYPE = (
    f"https://e.com/{name}" for name in ("v", "i", "a", "l", "g", "s", "f")
)
GIF = MediaInfo(
    Path("/g.gif"), MediaKind.VIDEO, "image/gif", 1, "gif", 64, 48, duration_s=0.6, fps=5.0, video_codec="gif"
)
SRT = MediaInfo(Path("/c.srt"), MediaKind.SUBTITLE, "application/x-subrip", 1, duration_s=21.5)
TTF = MediaInfo(Path("/f.ttf"), MediaKind.FONT, "font/ttf", 1)
MEDIA = {VIDEO: video(8.0), STILL: picture(), TONE: sound(8.0), MATTE: picture(), ANIMATION: GIF, WORDS: SRT, TYPE: TTF}
CLIP = "/timeline/tracks/0/clips/0"


def resolved(*clips, media=MEDIA, **parts):
    return resolve(parsed(edit_of(*clips, **parts)), media)


def times(*clips, **parts):
    """Return start and length in frames (25 a second) of each clip, in painting order."""
    return [(clip.start, clip.frames) for clip in resolved(*clips, **parts).timeline.clips]


def resolve_errors(*clips, media=MEDIA, **parts):
    with pytest.raises(EditInvalid) as caught:
        resolved(*clips, media=media, **parts)
    return [(issue.pointer, issue.code) for issue in caught.value.issues]


def warnings(result):
    return [(issue.pointer, issue.code) for issue in result.warnings]


def test_rounds_starts_and_ends_so_that_adjacent_clips_stay_adjacent():
    found = times(*[title(start=0.13 * n, length=0.13) for n in range(40)])
    assert all(start + frames == after for (start, frames), (after, _) in itertools.pairwise(found))
    assert found[-1] == (round(0.13 * 39 * 25), round(0.13 * 40 * 25) - round(0.13 * 39 * 25))


@pytest.mark.parametrize("step", [0.02, 0.1, 0.3, 0.46, 0.7])
def test_binary_rounding_leaves_no_gap(step):
    at, clips = 0.0, []
    for _ in range(50):
        clips.append(title(start=at, length=step))
        at += step
    found = times(*clips)
    assert all(start + frames == after for (start, frames), (after, _) in itertools.pairwise(found))


def test_auto_follows_the_previous_clip_and_has_the_length_of_the_media():
    found = times(
        title(asset=asset("video", VIDEO, trim=2), start="auto", length="auto"),
        title(asset=asset("video", VIDEO, speed=2), start="auto", length="auto"),
        title(asset=asset("image", STILL), start="auto", length="auto"),
        title(asset=asset("audio", TONE, speed=0.5), start="auto", length="auto"),
        title(start="auto", length="auto"),
    )
    assert found == [(0, 150), (150, 100), (250, 75), (325, 400), (725, 75)]


def test_auto_gives_captions_the_length_of_their_file():
    assert times(title(asset=asset("caption", WORDS, trim=1.5), length="auto")) == [(0, 500)]


def test_auto_follows_the_previous_clip_even_if_that_starts_late():
    assert times(title(start=4, length=1), title(start="auto", length=2)) == [(100, 25), (125, 50)]


def test_end_runs_to_the_end_of_the_other_clips():
    tracks = [[title(length="end")], [title(start=1, length=2), title(start=3, length="end")], [title(length=5)]]
    found = resolved(tracks=tracks).timeline
    assert found.frames == 125
    assert [(clip.track, clip.start, clip.frames) for clip in found.clips] == [
        (2, 0, 125),
        (1, 25, 50),
        (1, 75, 50),
        (0, 0, 125),
    ]


def test_end_follows_the_soundtrack_if_all_clips_run_to_the_end():
    found = resolved(title(length="end"), timeline={"soundtrack": {"src": TONE}}).timeline
    assert (found.frames, found.clips[0].frames) == (200, 200)


def test_soundtrack_never_makes_a_timeline_longer():
    assert resolved(title(length=2), timeline={"soundtrack": {"src": TONE}}).timeline.frames == 50


def test_clip_that_starts_at_the_end_is_left_out_with_a_warning():
    result = resolved(tracks=[[title(start=5, length="end"), title(start=0, length=5)]])
    assert warnings(result) == [(CLIP, "clip_empty")]
    assert len(result.timeline.clips) == 1


def test_aliases_give_start_and_length_in_any_order():
    tracks = [
        [title(start="alias://Main", length="alias://Main")],
        [title(length=1), title(start="auto", length=3, alias="Main")],
    ]
    assert [(clip.track, clip.start, clip.frames) for clip in resolved(tracks=tracks).timeline.clips] == [
        (1, 0, 25),
        (1, 25, 75),
        (0, 25, 75),
    ]


def test_alias_of_a_clip_that_runs_to_the_end_gives_its_length():
    tracks = [[title(start=0, length="alias://bed")], [title(length="end", alias="bed")], [title(length=4)]]
    assert [clip.frames for clip in resolved(tracks=tracks).timeline.clips] == [100, 100, 100]


def test_refuses_circular_aliases():
    clips = [title(length="alias://b", alias="a"), title(length="alias://a", alias="b")]
    assert resolve_errors(*clips) == [(CLIP, "alias_cycle"), ("/timeline/tracks/0/clips/1", "alias_cycle")]


def test_resolves_thousands_of_dependent_clips_quickly():
    chain = [title(start=f"alias://{n + 1}", length=0.5, alias=str(n)) for n in range(2000)]
    found = times(*chain, title(start=1, length=0.5, alias="2000"), *[title(start="auto", length=0.5)] * 2000)
    assert {start for start, _ in found[:2001]} == {25}
    assert found[-1][0] == 25 + round(2000 * 12.5)


def test_first_track_is_painted_last_and_later_clips_over_earlier_ones():
    tracks = [[title()], [title(start=1), title(start=0), title(start=0)]]
    assert [clip.pointer.removeprefix("/timeline/tracks/") for clip in resolved(tracks=tracks).timeline.clips] == [
        "1/clips/1",
        "1/clips/2",
        "1/clips/0",
        "0/clips/0",
    ]


def test_clip_shorter_than_a_frame_is_shown_for_one():
    assert times(title(start=0, length=0.01), title(start=0.04, length=0.01)) == [(0, 1), (1, 1)]


def test_first_of_the_clips_within_one_frame_is_shown():
    result = resolved(*[title(start=0.01 * n, length=0.01) for n in range(8)])
    assert [(clip.start, clip.frames) for clip in result.timeline.clips] == [(0, 1), (1, 1), (2, 1)]
    ((_, code),) = warnings(result)
    assert code == "clip_too_short"


def test_refuses_an_empty_or_too_long_timeline():
    assert resolve_errors() == [("/timeline/tracks", "empty_timeline")]
    clips = [title(start="auto", length=1200) for _ in range(4)]
    assert resolve_errors(*clips) == [("/timeline", "out_of_range")]


@pytest.mark.parametrize(
    ("given", "media", "code"),
    [
        (asset("video", VIDEO), {}, "media_missing"),
        (asset("video", STILL), MEDIA, "media_mismatch"),
        (asset("video", TONE), MEDIA, "media_mismatch"),
        (asset("image", VIDEO), MEDIA, "media_mismatch"),
        (asset("image", TONE), MEDIA, "media_mismatch"),
        (asset("audio", STILL), MEDIA, "media_mismatch"),
        (asset("audio", VIDEO), {VIDEO: video(audio_codec=None)}, "media_mismatch"),
        (asset("luma", TONE), MEDIA, "media_mismatch"),
        (asset("caption", VIDEO), MEDIA, "media_mismatch"),
    ],
)
def test_refuses_files_of_the_wrong_kind(given, media, code):
    assert resolve_errors(title(asset=given), media=media) == [(f"{CLIP}/asset/src", code)]


@pytest.mark.parametrize(
    "given", [asset("image", ANIMATION), asset("video", ANIMATION), asset("audio", VIDEO), asset("luma", VIDEO)]
)
def test_accepts_suitable_files(given):
    resolved(title(asset=given, length=0.5), title())


def test_refuses_wrong_fonts_and_soundtracks():
    found = resolve_errors(title(), timeline={"fonts": [{"src": STILL}], "soundtrack": {"src": STILL}})
    assert found == [("/timeline/soundtrack/src", "media_mismatch"), ("/timeline/fonts/0/src", "media_mismatch")]


def test_refuses_a_trim_beyond_the_end():
    assert resolve_errors(title(asset=asset("video", VIDEO, trim=8))) == [(f"{CLIP}/asset/trim", "out_of_range")]


def test_clip_ends_with_its_video_with_a_warning():
    result = resolved(title(asset=asset("video", VIDEO, trim=3, speed=2), start=1, length=6))
    assert warnings(result) == [(f"{CLIP}/length", "media_too_short")]
    assert (result.timeline.clips[0].frames, result.timeline.frames) == (63, 175)


@pytest.mark.parametrize("fields", [{"length": 8.4}, {"length": 20, "asset": asset("video", VIDEO, speed=0)}])
def test_clip_holds_its_last_frame_briefly_or_a_frozen_one_throughout(fields):
    given = {"asset": asset("video", VIDEO), **fields}
    result = resolved(title(**given))
    assert result.warnings == ()
    assert result.timeline.clips[0].frames == round(given["length"] * 25)


def test_gif_as_an_image_restarts():
    (clip,) = resolved(title(asset=asset("image", ANIMATION), length=3)).timeline.clips
    assert (clip.loop, clip.frames) == (True, 75)


def test_fills_in_the_defaults_of_a_clip():
    (clip,) = resolved(title(asset=asset("image", STILL))).timeline.clips
    assert (clip.fit, clip.position, clip.scale.constant, clip.opacity.constant) == ("crop", "center", 1.0, 1.0)
    assert (clip.transition_in, clip.effect, clip.filter, clip.sound, clip.luma) == (None,) * 5
    assert clip.media is MEDIA[STILL]


def test_resolves_geometry_and_appearance():
    (clip,) = resolved(
        title(
            asset=asset(
                "video",
                VIDEO,
                trim=1,
                speed=0.5,
                crop={"top": 0.1, "left": 0.2},
                chromaKey={"color": "#0f0", "threshold": 40, "halo": 20},
            ),
            fit="contain",
            position="bottomLeft",
            width=300,
            height=200,
            scale=0.5,
            offset={"x": 0.1, "y": -0.2},
            opacity=0.5,
            transform={"rotate": {"angle": 45}, "skew": {"x": 0.5}, "flip": {"vertical": True}},
            filter="invert",
            effect="slideLeftSlow",
        )
    ).timeline.clips
    assert (clip.fit, clip.position, clip.width, clip.height) == ("contain", "bottomLeft", 300, 200)
    assert (clip.scale.constant, clip.offset_x.constant, clip.offset_y.constant) == (0.5, 0.1, -0.2)
    assert (clip.opacity.constant, clip.rotate_deg.constant, clip.skew_x.constant) == (0.5, 45.0, 0.5)
    assert (clip.flip_horizontal, clip.flip_vertical, clip.filter) == (False, True, "negative")
    assert (clip.trim_s, clip.speed, clip.effect) == (1.0, 0.5, Effect("slideLeft", "slow"))
    assert clip.crop == Crop(top=0.1, left=0.2)
    assert clip.chroma_key == ChromaKey("#00ff00", 40.0, 20.0)


@pytest.mark.parametrize(
    ("given", "length", "expected"),
    [
        ({"in": "fade"}, 4, (Transition("fade", 25), None)),
        ({"in": "fadeFast", "out": "wipeLeftSlow"}, 8, (Transition("fade", 13), Transition("wipeLeft", 50))),
        ({"in": "fade", "out": "fade"}, 1, (Transition("fade", 12), Transition("fade", 12))),
        ({"out": "zoom"}, 0.4, (None, Transition("zoom", 10))),
        ({"in": "none", "out": "fade"}, 0.4, (None, Transition("fade", 10))),
        ({"in": "fade", "out": "fade"}, 0.04, (None, None)),
    ],
)
def test_transitions_have_named_speeds_and_share_the_clip(given, length, expected):
    (clip,) = resolved(title(length=length, transition=given)).timeline.clips
    assert (clip.transition_in, clip.transition_out) == expected


def test_tweens_become_pieces_in_frames():
    tweens = [
        {"from": 2, "to": 0, "start": 2, "length": 1, "interpolation": "constant"},
        {"from": 0, "to": 1, "start": 0, "length": 1, "interpolation": "bezier", "easing": "easeInOut"},
        {"to": 0.5, "start": 1, "length": 0.5, "interpolation": "bezier", "easing": "easeOutBack"},
        {"to": 9, "start": 30, "length": 1},
    ]
    (clip,) = resolved(title(length=4, offset={"x": tweens}, opacity=tweens)).timeline.clips
    assert clip.offset_x.keyframes == (
        Keyframe(0, 25, 0.0, 1.0, (0.42, 0.0, 0.58, 1.0)),
        Keyframe(25, 13, 1.0, 0.5, (0.34, 1.56, 0.64, 1.0)),
        Keyframe(50, 25, 2.0, 0.0, "hold"),
    )
    assert clip.offset_x.constant == 0.0
    assert clip.opacity.keyframes[2].value_from == 1.0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, "linear"),
        ({"interpolation": "bezier"}, (0.25, 0.1, 0.25, 1.0)),
        ({"interpolation": "bezier", "easing": "easeIn"}, (0.42, 0.0, 1.0, 1.0)),
        ({"easing": "easeOut"}, (0.0, 0.0, 0.58, 1.0)),
        ({"interpolation": "linear", "easing": "easeOut"}, "linear"),
        ({"interpolation": "bezier", "easing": "linear"}, "linear"),
    ],
)
def test_easings_apply_with_bezier(words, expected):
    (clip,) = resolved(title(opacity=[{"from": 0, "to": 1, "start": 0, "length": 1, **words}])).timeline.clips
    assert clip.opacity.keyframes[0].easing == expected


def test_tweens_that_overlap_are_cut_by_the_next():
    tweens = [{"from": 0, "to": 1, "start": 0}, {"from": 5, "to": 6, "start": 1, "length": 1}]
    (clip,) = resolved(title(length=4, offset={"y": tweens})).timeline.clips
    assert [(piece.start, piece.frames) for piece in clip.offset_y.keyframes] == [(0, 25), (25, 25)]


@pytest.mark.parametrize(
    ("fields", "length", "expected"),
    [
        ({}, 4, Sound(volume=None, fade_in_frames=0, fade_out_frames=0)),
        ({"volumeEffect": "fadeIn"}, 4, Sound(None, 50, 0)),
        ({"volumeEffect": "fadeInFadeOut"}, 2, Sound(None, 25, 25)),
        ({"volumeEffect": "fadeOut"}, 1, Sound(None, 0, 25)),
        ({"volume": 0}, 4, None),
        ({"speed": 0}, 4, None),
    ],
)
def test_sound_of_video_clips(fields, length, expected):
    (clip,) = resolved(title(asset=asset("video", VIDEO, **fields), length=length)).timeline.clips
    if expected is None:
        assert clip.sound is None
    else:
        assert (clip.sound.fade_in_frames, clip.sound.fade_out_frames) == (
            expected.fade_in_frames,
            expected.fade_out_frames,
        )
        assert clip.sound.volume.constant == 1.0


def test_video_without_audio_has_no_sound():
    (clip,) = resolved(title(asset=asset("video", VIDEO)), media={VIDEO: video(audio_codec=None)}).timeline.clips
    assert clip.sound is None


def test_soundtrack_fades_before_its_file_ends():
    track = {"src": TONE, "effect": "fadeOut", "volume": 0.5}
    found = resolved(title(length=20), timeline={"soundtrack": track}).timeline.soundtrack
    assert (found.sound.volume.constant, found.sound.fade_in_frames, found.sound.fade_out_frames) == (0.5, 0, 50)
    assert found.media is MEDIA[TONE]


def test_lumas_mask_the_clips_of_their_track_and_time():
    tracks = [
        [
            title(asset=asset("luma", MATTE), start=0, length=2),
            title(asset=asset("luma", MATTE), start=2, length=4),
            title(asset=asset("video", VIDEO), start=0, length=2),
            title(asset=asset("image", STILL), start=1, length=5),
        ],
        [title(length=6)],
    ]
    result = resolved(tracks=tracks)
    lumas = {clip.pointer: clip.luma.pointer if clip.luma else None for clip in result.timeline.clips}
    assert lumas == {
        "/timeline/tracks/1/clips/0": None,
        "/timeline/tracks/0/clips/2": CLIP,
        "/timeline/tracks/0/clips/3": "/timeline/tracks/0/clips/1",
    }


def test_warns_about_a_luma_without_an_overlapping_clip():
    result = resolved(title(asset=asset("luma", MATTE), start=5, length=1), title(length=2))
    assert warnings(result) == [(CLIP, "luma_unused")]


@pytest.mark.parametrize(
    ("output", "size", "fps"),
    [
        ({"resolution": "preview"}, (512, 288), 15),
        ({"resolution": "mobile"}, (640, 360), 25),
        ({"resolution": "sd"}, (1024, 576), 25),
        ({"resolution": None}, (1280, 720), 25),
        ({"resolution": "1080"}, (1920, 1080), 25),
        ({"resolution": "4k", "fps": 60}, (3840, 2160), 60),
        ({"resolution": "hd", "aspectRatio": "9:16"}, (720, 1280), 25),
        ({"resolution": "hd", "aspectRatio": "1:1"}, (720, 720), 25),
        ({"resolution": "hd", "aspectRatio": "4:5"}, (576, 720), 25),
        ({"resolution": "hd", "aspectRatio": "4:3"}, (960, 720), 25),
        ({"resolution": "mobile", "aspectRatio": "4:5"}, (288, 360), 25),
        ({"size": {"width": 300, "height": 200}, "fps": 23.976}, (300, 200), Fraction(24000, 1001)),
        ({"resolution": "preview", "fps": 29.97}, (512, 288), Fraction(30000, 1001)),
    ],
)
def test_sizes_and_rates(output, size, fps):
    spec = resolved(title(), output=output).timeline.output
    assert ((spec.width, spec.height), spec.fps, spec.final_size) == (size, fps, size)


def test_scale_to_composes_large_and_writes_small():
    spec = resolved(title(), output={"resolution": "1080", "scaleTo": "preview", "aspectRatio": "9:16"}).timeline.output
    assert ((spec.width, spec.height), spec.final_size, spec.fps) == ((1080, 1920), (288, 512), 15)


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        ({"start": 1, "length": 2}, (25, 50)),
        ({"start": 3}, (75, 50)),
        ({"start": 4, "length": 9}, (100, 25)),
        ({"length": 0.01}, (0, 1)),
    ],
)
def test_range_cuts_the_output(cut, expected):
    found = resolved(title(length=5), output={"range": cut}).timeline
    assert (found.output.first_frame, found.output.frames, found.frames) == (*expected, 125)


def test_refuses_a_range_beyond_the_end():
    assert resolve_errors(title(length=5), output={"range": {"start": 5}}) == [("/output/range/start", "out_of_range")]


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp"])
def test_image_format_is_one_frame(kind):
    spec = resolved(title(length=5), output={"format": kind, "range": {"start": 2}}).timeline.output
    assert (spec.first_frame, spec.frames, spec.duration_s) == (50, 1, 0.04)


def test_poster_and_thumbnail_are_frames_of_the_output():
    result = resolved(
        title(length=5),
        output={"range": {"start": 1}, "poster": {"capture": 2}, "thumbnail": {"capture": 9, "scale": 0.5}},
    )
    spec = result.timeline.output
    assert (spec.poster_frame, spec.thumbnail_frame, spec.thumbnail_scale) == (25, 99, 0.5)
    assert warnings(result) == [("/output/thumbnail/capture", "out_of_range")]


def test_refuses_an_mp3_of_silence():
    assert resolve_errors(title(), output={"format": "mp3"}) == [("/output/format", "no_sound")]
    assert resolved(title(asset=asset("audio", TONE)), output={"format": "mp3"}).timeline.output.format == "mp3"


def test_background_and_fonts():
    found = resolved(title(), timeline={"background": "#80ff0000", "fonts": [{"src": TYPE}]}).timeline
    assert found.background == "#ff0000"
    assert found.fonts == {TYPE: TTF}


def test_estimates_before_the_media_are_known():
    edit = parsed(edit_of(title(asset=asset("video", VIDEO), length="auto"), title(start="auto", length=2)))
    guess, known = estimate(edit, unknown_s=5), estimate(edit, MEDIA)
    assert (guess.duration_s, guess.is_exact) == (7.0, False)
    assert (known.duration_s, known.frames, known.width, known.height, known.fps, known.is_exact) == (
        10.0,
        250,
        1024,
        576,
        25.0,
        True,
    )
