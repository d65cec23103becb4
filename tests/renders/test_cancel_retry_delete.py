"""`/renders/{id}/cancel`, `/retry` and DELETE."""

from __future__ import annotations

import pytest

from assets.models import AssetHold
from credits.models import CreditAccount, CreditEntry
from credits.selectors import check_ledger
from jobs.models import Job
from renders.models import Render
from tests.factories import make_asset, make_edit, make_render

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"


def submit(client, alice):
    asset = make_asset(alice)
    edit = make_edit()
    clip = {"asset": {"type": "video", "src": f"asset:{asset.public_id}"}, "start": 0, "length": 1}
    edit["timeline"]["tracks"].append({"clips": [clip]})
    response = client.post(RENDERS, {"edit": edit})
    assert response.status_code == 202, response.content
    return Render.objects.get(job_id__isnull=False)


class TestCancel:
    """A waiting render ends at once, a running one is asked to stop."""

    def test_cancels_a_waiting_render_and_refunds_it(self, client, alice):
        render = submit(client, alice)
        response = client.post(f"{RENDERS}/{render.public_id}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
        assert response.json()["finished_at"] is not None
        assert response.json()["credits"] == {"reserved": "0.01", "charged": "0.00"}
        assert CreditAccount.objects.get(user=alice).balance == 1000
        assert CreditEntry.objects.filter(kind="refund").count() == 1
        assert not AssetHold.objects.exists()
        assert Job.objects.get().status == "cancelled"
        assert not list(check_ledger())

    def test_asks_a_running_render_to_stop(self, client, alice):
        render = submit(client, alice)
        Render.objects.filter(pk=render.pk).update(status="rendering", attempt=1)
        Job.objects.update(status="running", attempts=1, worker="w")
        response = client.post(f"{RENDERS}/{render.public_id}/cancel")
        assert (response.status_code, response.json()["status"]) == (202, "cancelling")
        assert Job.objects.get().cancel_requested_at is not None
        # No refund while the worker may still be rendering.
        assert AssetHold.objects.exists()
        assert CreditAccount.objects.get(user=alice).balance == 999

    def test_is_safe_to_repeat(self, client, alice):
        render = submit(client, alice)
        path = f"{RENDERS}/{render.public_id}/cancel"
        first, second = client.post(path), client.post(path)
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json() == second.json()
        assert CreditAccount.objects.get(user=alice).balance == 1000

    @pytest.mark.parametrize("status", ["succeeded", "failed"])
    def test_is_refused_after_the_end(self, client, alice, status):
        render = make_render(alice, status=status)
        response = client.post(f"{RENDERS}/{render.public_id}/cancel")
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")
        render.refresh_from_db()
        assert render.status == status


class TestRetry:
    """The same edit is submitted as a new render."""

    @pytest.mark.parametrize("status", ["failed", "cancelled"])
    def test_submits_the_edit_again(self, client, alice, status):
        render = make_render(alice, status=status, metadata={"a": "b"}, priority=0, merge={"X": 1})
        response = client.post(f"{RENDERS}/{render.public_id}/retry")
        assert response.status_code == 202, response.content
        answer = response.json()
        assert answer["retry_of"] == render.public_id
        assert answer["id"] != render.public_id
        assert response["Location"] == f"{RENDERS}/{answer['id']}"
        new = Render.objects.exclude(pk=render.pk).get()
        assert (new.edit, new.merge, new.metadata, new.priority) == (render.edit, {"X": 1}, {"a": "b"}, 0)
        assert new.status == "queued"
        render.refresh_from_db()
        assert render.status == status

    @pytest.mark.parametrize("status", ["queued", "rendering", "succeeded"])
    def test_is_refused_before_a_failure(self, client, alice, status):
        render = make_render(alice, status=status)
        response = client.post(f"{RENDERS}/{render.public_id}/retry")
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")
        assert Render.objects.count() == 1


class TestDeleteOutput:
    """The row stays, the files are removed."""

    def test_removes_the_files(self, client, alice, media_root):
        render = make_render(alice, status="succeeded")
        folder = media_root / "renders" / render.public_id / "1"
        folder.mkdir(parents=True)
        for name in ("output.mp4", "poster.jpg"):
            (folder / name).write_bytes(b"x")
        Render.objects.filter(pk=render.pk).update(output_key=f"renders/{render.public_id}/1/output.mp4")
        before = client.get(f"{RENDERS}/{render.public_id}").json()
        found = client.get(before["output"]["url"])
        assert b"".join(found.streaming_content) == b"x"
        response = client.delete(f"{RENDERS}/{render.public_id}")
        assert (response.status_code, response.content) == (204, b"")
        answer = client.get(f"{RENDERS}/{render.public_id}").json()
        assert (answer["status"], answer["output"], answer["poster_url"]) == ("succeeded", None, None)
        assert client.get(before["output"]["url"]).status_code == 404
        assert not folder.exists()
        assert client.delete(f"{RENDERS}/{render.public_id}").status_code == 204

    @pytest.mark.parametrize("status", ["queued", "rendering", "failed", "cancelled"])
    def test_is_refused_without_an_output(self, client, alice, status):
        render = make_render(alice, status=status)
        response = client.delete(f"{RENDERS}/{render.public_id}")
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")
