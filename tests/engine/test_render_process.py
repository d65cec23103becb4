"""The FFmpeg process: progress, cancellation, limits, and no leftover processes or files."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import RenderAborted, RenderCrashed, RenderTimeout
from engine.graph import FFmpegCommand
from engine.run import FFmpegLimits, FFmpegProgress, run
from engine.run.output_files import remove_partials
from engine.timeline.model import Curve
from tests.engine.render_helpers import clip, image_media, near, render, timeline_of, video_media

pytestmark = pytest.mark.acceptance
FOREVER = ("-nostdin", "-v", "error", "-nostats", "-progress", "pipe:1", "-stats_period", "0.1", "-re", "-f", "lavfi",
           "-i", "color=black:s=64x64:r=25", "-f", "null", "-")  # fmt: skip


def command(ffmpeg: str, *arguments: str) -> FFmpegCommand:
    """Return a command that runs FFmpeg with the given arguments."""
    return FFmpegCommand((ffmpeg, *arguments), "", Path("graph.txt"), (), (), 100, 4.0, has_audio=False)


def run_plain(wanted: FFmpegCommand, **given):
    """Run with callbacks that do nothing unless given."""
    callbacks = {"on_progress": lambda _: None, "should_cancel": lambda: False, "limits": FFmpegLimits(), **given}
    return run(wanted, **callbacks)


def children() -> set[int]:
    """Return the processes that this one has started and not reaped."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        # A thread may end between the listing and the reading.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds: float = 10.0) -> bool:
    """Poll until a condition holds or the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_reports_progress_up_to_the_end(make_video, tmp_path):
    seen: list[FFmpegProgress] = []
    media = video_media(make_video(tmp_path / "a.mp4", 2.0), 2.0)
    render(timeline_of(clip(media, frames=50), frames=50), tmp_path, on_progress=seen.append)
    assert seen[-1].frame == seen[-1].total_frames == 50
    assert seen[-1].percent == 100
    percents = [progress.percent for progress in seen]
    assert percents == sorted(percents)


def test_progress_is_reported_at_most_four_times_a_second(ffmpeg_exe):
    times: list[float] = []
    until = time.monotonic() + 1.5
    with pytest.raises(RenderAborted):
        run_plain(
            command(ffmpeg_exe, *FOREVER),
            on_progress=lambda _: times.append(time.monotonic()),
            should_cancel=lambda: time.monotonic() > until,
        )
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert len(times) >= 3
    assert min(gaps) >= 0.24


def test_cancel_stops_the_process_within_two_seconds(ffmpeg_exe):
    before = children()
    began = time.monotonic()
    with pytest.raises(RenderAborted):
        run_plain(command(ffmpeg_exe, *FOREVER), should_cancel=lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 2.5
    assert children() == before


def test_process_that_ignores_sigterm_is_killed():
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    wanted = FFmpegCommand((sys.executable, "-c", stubborn), "", Path("g"), (), (), 1, 1.0, has_audio=False)
    before = children()
    began = time.monotonic()
    with pytest.raises(RenderAborted):
        run_plain(wanted, should_cancel=lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 3
    assert children() == before


def test_wall_clock_limit_ends_the_run(ffmpeg_exe):
    with pytest.raises(RenderTimeout, match="longer than"):
        run_plain(command(ffmpeg_exe, *FOREVER), limits=FFmpegLimits(wall_s=0.6))


def test_run_without_progress_is_stopped():
    wanted = FFmpegCommand((sys.executable, "-c", "import time; time.sleep(60)"), "", Path("g"), (), (), 1, 1.0, False)
    with pytest.raises(RenderTimeout, match="no progress"):
        run_plain(wanted, limits=FFmpegLimits(stall_s=0.5))


def test_failure_carries_ffmpegs_log(ffmpeg_exe):
    with pytest.raises(RenderCrashed) as caught:
        run_plain(command(ffmpeg_exe, "-v", "error", "-f", "mov", "-i", "/nonexistent.mp4", "-f", "null", "-"))
    assert "No such file" in caught.value.log


def test_flood_of_messages_neither_blocks_nor_fills_memory():
    flood = "import sys\nfor n in range(200000): sys.stderr.write(f'line {n}\\n')\nsys.exit(3)"
    wanted = FFmpegCommand((sys.executable, "-c", flood), "", Path("g"), (), (), 1, 1.0, has_audio=False)
    with pytest.raises(RenderCrashed) as caught:
        run_plain(wanted)
    assert "line 199999" in caught.value.log
    assert len(caught.value.log) < 40_000


def test_child_runs_under_limits_in_its_own_session():
    """The child reports its own limits."""
    report = textwrap.dedent("""
        import os, resource, sys
        kinds = (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_CORE)
        said = [resource.getrlimit(kind)[0] for kind in kinds], os.nice(0), os.getsid(0) == os.getpid()
        print(*said, file=sys.stderr)
        sys.exit(1)
    """)
    wanted = FFmpegCommand((sys.executable, "-c", report), "", Path("g"), (), (), 1, 1.0, has_audio=False)
    limits = FFmpegLimits(address_space_bytes=3 << 30, file_size_bytes=1 << 20, cpu_s=77, niceness=5)
    with pytest.raises(RenderCrashed) as caught:
        run_plain(wanted, limits=limits)
    assert caught.value.log == f"[{3 << 30}, {1 << 20}, 77, 0] {os.nice(0) + 5} True"


@pytest.mark.parametrize("niceness", [0, 5, 19])
def test_child_lowers_the_priority_of_its_session(niceness):
    """The child reports its own scheduling. Source: sched(7)."""
    report = textwrap.dedent("""
        import os, sys
        group = open("/proc/self/autogroup").read().split()[-1] if os.path.exists("/proc/self/autogroup") else "none"
        print(os.nice(0), os.sched_getscheduler(0), group, file=sys.stderr)
        sys.exit(1)
    """)
    wanted = FFmpegCommand((sys.executable, "-c", report), "", Path("g"), (), (), 1, 1.0, has_audio=False)
    with pytest.raises(RenderCrashed) as caught:
        run_plain(wanted, limits=FFmpegLimits(niceness=niceness))
    switch = Path("/proc/sys/kernel/sched_autogroup_enabled")
    by_session = switch.exists() and switch.read_text().strip() == "1"
    policy = {0: os.SCHED_OTHER, 5: os.SCHED_BATCH, 19: os.SCHED_IDLE if by_session else os.SCHED_BATCH}[niceness]
    group = str(niceness) if Path("/proc/self/autogroup").exists() else "none"
    assert caught.value.log.split() == [str(min(19, os.nice(0) + niceness)), str(policy), group]


def test_ffmpeg_dies_with_a_parent_that_is_killed(ffmpeg_exe, tmp_path):
    program = textwrap.dedent(f"""
        from pathlib import Path
        from engine.graph import FFmpegCommand
        from engine.run import FFmpegLimits, run
        wanted = FFmpegCommand({(ffmpeg_exe, *FOREVER)!r}, "", Path("g"), (), (), 1, 1.0, has_audio=False)
        run(wanted, on_progress=lambda _: print("running", flush=True), should_cancel=lambda: False,
            limits=FFmpegLimits())
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    try:
        assert parent.stdout.readline() == b"running\n"
        offspring = [int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]
        assert len(offspring) == 1
        assert is_alive(offspring[0])
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert wait_until(lambda: not is_alive(offspring[0]), 3.0)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


def test_cancelled_render_leaves_no_file(make_video, tmp_path):
    media = video_media(make_video(tmp_path / "a.mp4", 1.0), 1.0)
    target = tmp_path / "target"
    with pytest.raises(RenderAborted):
        render(timeline_of(clip(media)), target, should_cancel=lambda: True)
    assert [path for path in target.rglob("*") if path.is_file()] == []


def test_failed_render_leaves_the_old_output_alone(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 5000)
    (tmp_path / "out.mp4").write_bytes(b"the render before")
    with pytest.raises(RenderCrashed):
        render(timeline_of(clip(video_media(tmp_path / "broken.mp4", 1.0))), tmp_path)
    assert (tmp_path / "out.mp4").read_bytes() == b"the render before"
    assert {path.name for path in tmp_path.iterdir()} == {"broken.mp4", "out.mp4", "work"}
    assert list((tmp_path / "work").iterdir()) == []


def test_next_render_removes_the_partial_files_of_a_killed_one(make_image, tmp_path):
    target = tmp_path / "a[1].mp4"
    stale, other = tmp_path / ".a[1].mp4.0a1b2c3d.partial", tmp_path / ".b.mp4.0a1b2c3d.partial"
    stale.write_bytes(b"x")
    other.write_bytes(b"x")
    remove_partials(target)
    assert not stale.exists()
    assert other.exists()


def test_playlist_named_mp4_is_not_followed(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n")
    with pytest.raises(RenderCrashed):
        render(timeline_of(clip(video_media(tmp_path / "list.mp4", 1.0))), tmp_path)


def test_special_characters_in_paths_are_literal(make_video, tmp_path):
    folder = tmp_path / "a b';[x],:=%d\\n"
    folder.mkdir()
    media = video_media(make_video(folder / "clip.mp4", 1.0), 1.0)
    result = render(timeline_of(clip(media)), folder)
    assert result.output.stat().st_size > 0


def test_late_poster_does_not_hold_the_video_in_memory(make_image, tmp_path: Path) -> None:
    # 1,000 frames of 1280 x 720 are 1.4 GB. Without them FFmpeg takes up to 1.2 GB of address space here.
    make_image(tmp_path / "red.png")
    small = clip(image_media(tmp_path / "red.png"), 0, 1000, scale=Curve(0.5))
    timeline = timeline_of(small, frames=1000, size=(1280, 720), background="#3060a0", poster_frame=990)
    limits = FFmpegLimits(address_space_bytes=1600 * 1024 * 1024)
    result = render(timeline, tmp_path, poster=tmp_path / "poster.jpg", limits=limits)
    assert result.duration_s == 40.0
    with Image.open(tmp_path / "poster.jpg") as image:
        assert image.size == (1280, 720)
        assert near(image.getpixel((10, 10)), (0x30, 0x60, 0xA0), 6)
