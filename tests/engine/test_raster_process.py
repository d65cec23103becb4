"""The drawing process: hostile pages end quickly, failures name their clip, no process or file remains."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import RenderError
from engine.raster import DrawingFailed, RasterPool, is_drawn, rasterize, rasterize_all
from engine.raster.fonts.bundled import font_directories
from engine.raster.job import RasterJob, RasterLayer
from tests.engine.raster_helpers import draw, font_media, load, make_clip, make_timeline, visible_box

ROOT = Path(__file__).resolve().parents[2]


def job(markup: str, style: str = "") -> RasterJob:
    return RasterJob(64, 32, (RasterLayer(markup, style),))


@pytest.fixture
def pool():
    pool = RasterPool(processes=1)
    yield pool
    pool.close()


def html(markup: str, css: str = "") -> dict[str, object]:
    return {"type": "html", "html": markup, "css": css, "width": 64, "height": 32}


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("name", "markup"),
    [
        ("deep", "<div>" * 100_000),
        ("tables", "<table><tr><td>" * 3_000),
        ("words", "x " * 200_000),
    ],
)
def test_hostile_page_ends_in_seconds_and_the_next_is_drawn(tmp_path: Path, pool: RasterPool, name, markup) -> None:
    started = time.monotonic()

    with pytest.raises(DrawingFailed, match=r"^/timeline/tracks/0/clips/7: ") as caught:
        pool.draw([(job(markup), tmp_path / f"{name}.png", "/timeline/tracks/0/clips/7")], timeout_s=2)

    assert caught.value.pointer == "/timeline/tracks/0/clips/7"
    assert time.monotonic() - started < 8
    pool.draw([(job("<p>fine</p>"), tmp_path / "next.png", "")])
    assert visible_box(load(tmp_path / "next.png"))


@pytest.mark.parametrize(
    "css",
    [
        "p{font-size:10000000px}",
        "p{width:1e12px;height:1e12px;background:red;border-radius:1e9px}",
        "p{column-count:1000000}",
        "p{margin:-1e30px;line-height:1e30}",
        "p{transform:scale(1e30) rotate(1e30deg)}",
        "}}}}{{{{ ;;;; @media ( ",
        "p{color:" + "(" * 10_000,
    ],
)
def test_absurd_css_is_drawn_or_refused_quickly(tmp_path: Path, css) -> None:
    started = time.monotonic()

    raster = draw(html("<p>x</p>", css), tmp_path)

    assert load(raster.pictures[0].path).size == (64, 32)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "asset",
    [
        {"type": "text", "text": "a\x00b\ufffe"},
        {"type": "text", "text": " \n\t "},
        {"type": "text", "text": "x", "font": {"size": 2000}},
        {"type": "text", "text": "\u202e\u2066\u200d\u0301"},
        {"type": "rich-text", "text": "x", "stroke": {"width": 500}, "shadow": {"blur": 500, "offsetX": 1000}},
        {"type": "rich-text", "text": "", "animation": {"preset": "typewriter"}},
        {"type": "rich-text", "text": " ", "style": {"gradient": {"stops": [{"offset": 1}, {"offset": 0}]}}},
        {"type": "html", "html": "\x00<p>x</p>", "css": "\x00{"},
        {"type": "html", "html": "", "css": ""},
        {"type": "svg", "src": "<svg\x00 viewBox='0 0 0 0'></svg>"},
        {"type": "svg", "src": "<svg"},
        {"type": "svg", "src": "<svg/>"},
        {"type": "title", "text": ""},
    ],
)
def test_odd_input_is_drawn_without_a_failure(tmp_path: Path, asset) -> None:
    raster = draw(asset, tmp_path, make_timeline((96, 54)))

    assert load(raster.pictures[0].path).size == (raster.width, raster.height)
    assert sum(frame.frames for frame in raster.pictures) == 25


def test_text_that_is_too_long_is_refused_with_its_pointer(tmp_path: Path) -> None:
    with pytest.raises(DrawingFailed, match="at most 20000") as caught:
        draw({"type": "text", "text": "x" * 20_001}, tmp_path)

    assert caught.value.pointer == "/timeline/tracks/0/clips/0"
    assert isinstance(caught.value, RenderError)


def test_killed_process_fails_the_job_and_is_replaced(tmp_path: Path, pool: RasterPool) -> None:
    pool.draw([(job("<p>a</p>"), tmp_path / "a.png", "")])
    first = pool._processes[0]._child
    assert first is not None
    first.kill()
    first.wait()

    pool.draw([(job("<p>b</p>"), tmp_path / "b.png", "")])

    assert visible_box(load(tmp_path / "b.png"))
    assert pool._processes[0]._child is not first


def test_timeout_leaves_no_file_and_no_process(tmp_path: Path, pool: RasterPool) -> None:
    pool.draw([(job("<p>a</p>"), tmp_path / "a.png", "")])
    child = pool._processes[0]._child
    assert child is not None

    with pytest.raises(DrawingFailed, match="too long"):
        pool.draw([(job("x " * 1_000_000), tmp_path / "slow.png", "/p")], timeout_s=0.3)

    assert child.returncode is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_failure_to_save_a_picture_names_the_reason(tmp_path: Path, pool: RasterPool) -> None:
    with pytest.raises(DrawingFailed, match="No such file"):
        pool.draw([(job("<p>a</p>"), tmp_path / "missing" / "a.png", "/p")])

    pool.draw([(job("<p>a</p>"), tmp_path / "a.png", "/p")])


def test_process_sees_no_secret_of_its_parent(
    tmp_path: Path, pool: RasterPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do not pass on")

    pool.draw([(job("<p>a</p>"), tmp_path / "a.png", "")])

    child = pool._processes[0]._child
    assert child is not None
    assert b"SECRET_KEY" not in Path(f"/proc/{child.pid}/environ").read_bytes()


@pytest.mark.acceptance
def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    script = """
import os, sys, signal
from pathlib import Path
from engine.raster import RasterPool
from engine.raster.job import RasterJob, RasterLayer
pool = RasterPool(processes=1)
pool.draw([(RasterJob(8, 8, (RasterLayer("<p>a</p>"),)), Path(sys.argv[1]), "")])
print(pool._processes[0]._child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.png")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    pid = int(done.stdout)

    deadline = time.monotonic() + 10
    while _is_running(pid):
        assert time.monotonic() < deadline, "the drawing process outlived its parent"
        os.sched_yield()


def _is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def test_one_process_distinguishes_fonts_of_the_same_name(tmp_path: Path, pool: RasterPool) -> None:
    def pixels(file_name: str) -> bytes:
        font = next(path for folder in font_directories() for path in folder.rglob(f"{file_name}*.ttf"))
        timeline = make_timeline(fonts={"https://e.com/abc.ttf": font_media(font)})
        clip = make_clip({"type": "text", "text": "Hamburg", "font": {"family": "abc", "size": 50}})
        raster = rasterize(clip, timeline=timeline, out_dir=tmp_path / file_name, pool=pool)
        return load(raster.pictures[0].path).tobytes()

    assert pixels("Anton") != pixels("Caveat")
    child = pool._processes[0]._child
    assert pixels("Anton") != pixels("Caveat")
    assert pool._processes[0]._child is child

    # At the end of its input it must exit without a crash, although it has loaded font data.
    assert child is not None
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=10) == 0


def test_memory_stays_bounded_over_many_drawings_with_a_large_font(tmp_path: Path, pool: RasterPool) -> None:
    font = next(path for folder in font_directories() for path in folder.rglob("NotoColorEmoji*.ttf"))
    timeline = make_timeline(fonts={"https://e.com/large.ttf": font_media(font)})
    asset = {"type": "text", "width": 64, "height": 32, "font": {"family": "large"}}

    def resident_bytes() -> int:
        child = pool._processes[0]._child
        assert child is not None
        return int(Path(f"/proc/{child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    def draw_some(start: int) -> None:
        clips = [make_clip({**asset, "text": str(start + index)}, index=index) for index in range(10)]
        rasterize_all(clips, timeline=timeline, out_dir=tmp_path, pool=pool)

    draw_some(0)
    before = resident_bytes()
    draw_some(100)
    assert resident_bytes() - before < font.stat().st_size * 2


def test_font_configuration_is_removed_from_disk(
    tmp_path: Path, pool: RasterPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    pool.draw([(job("<p>a</p>"), tmp_path / "a.png", "")])

    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_each_distinct_picture_of_many_clips_is_drawn_once(tmp_path: Path) -> None:
    clips = [make_clip({"type": "title", "text": str(index % 20)}, index=index) for index in range(100)]

    rasters = rasterize_all(clips, timeline=make_timeline(), out_dir=tmp_path)

    assert len(rasters) == 100
    assert len(list(tmp_path.glob("*.png"))) == 20
    assert rasters["/timeline/tracks/0/clips/3"].pictures == rasters["/timeline/tracks/0/clips/23"].pictures


def test_failure_among_many_clips_names_the_failed_one(tmp_path: Path, pool: RasterPool) -> None:
    clips = [make_clip(html(f"<p>{index}</p>"), index=index) for index in range(5)]
    clips[3] = make_clip({"type": "title", "text": "x" * 20_001}, index=3)

    with pytest.raises(DrawingFailed) as caught:
        rasterize_all(clips, timeline=make_timeline(), out_dir=tmp_path, pool=pool)

    assert caught.value.pointer == "/timeline/tracks/0/clips/3"


def test_only_drawn_assets_are_drawn(tmp_path: Path) -> None:
    video = make_clip({"type": "video", "src": "https://e.com/a.mp4"})
    title = make_clip({"type": "title", "text": "x"}, index=1)

    rasters = rasterize_all([video, title], timeline=make_timeline(), out_dir=tmp_path)

    assert not is_drawn(video.asset)
    assert is_drawn(title.asset)
    assert list(rasters) == [title.pointer]
    with pytest.raises(KeyError):
        rasterize(video, timeline=make_timeline(), out_dir=tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_not_the_clips_fault(tmp_path: Path, pool: RasterPool) -> None:
    # The temporary name of a picture.
    (tmp_path / "full.png.part").symlink_to("/dev/full")
    with pytest.raises(DrawingFailed, match=r"^/clip: the disk of the service is full$") as caught:
        pool.draw([(job("<p>fine</p>"), tmp_path / "full.png", "/clip")])
    assert caught.value.retryable is True
    with pytest.raises(DrawingFailed, match=r"^/clip: ") as caught:
        pool.draw([(job("<p>fine</p>"), tmp_path / "nowhere/x.png", "/clip")])
    assert caught.value.retryable is False


@pytest.mark.parametrize("answer", ["[1, 2]", "no JSON"])
def test_replaces_a_process_whose_answer_is_invalid(tmp_path: Path, pool: RasterPool, monkeypatch, answer) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("engine.raster.pool._BOOT", f"input(); print({answer!r}, flush=True); input()")
        with pytest.raises(DrawingFailed, match="crashed the drawing process"):
            pool.draw([(job("<p>fine</p>"), tmp_path / "one.png", "/clip")])
    pool.draw([(job("<p>fine</p>"), tmp_path / "two.png", "/clip")])
    assert visible_box(load(tmp_path / "two.png"))


def test_draws_in_a_process_with_thousands_of_open_files(tmp_path: Path, pool: RasterPool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1300:
        pytest.skip("the machine allows fewer than 1,300 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    with contextlib.ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            opened.enter_context(Path(os.devnull).open())
        pool.draw([(job("<p>fine</p>"), tmp_path / "one.png", "")])
    assert visible_box(load(tmp_path / "one.png"))
