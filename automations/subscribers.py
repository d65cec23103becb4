"""Subscribers to events of renders, batches and assets, in the event's transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from assets.events import AssetFailed, AssetReady
from assets.models import Asset
from automations.models import Automation
from automations.payloads import asset_data, batch_data, render_data
from automations.selectors import chain_of, find_run_of_render, matches_filter, subscribed_automations
from automations.services.running import record_failure, record_success
from automations.services.triggering import AutomationTrigger, lock_account, start_run_if_allowed
from core.events import subscribe
from credits.pricing import format_credits
from renders.events import BatchCompleted, RenderCancelled, RenderEvent, RenderFailed, RenderSucceeded
from renders.models import Batch, Render


@subscribe(RenderSucceeded)
def on_render_succeeded(event: RenderSucceeded) -> None:
    """Record the success of the run that submitted the render, and trigger subscribed automations."""
    run = find_run_of_render(event.render_id)
    if run is not None:
        lock_account(event.owner_id)
        record_success(automation_id=run.automation_id)
    _after_render("render.succeeded", event, chain_of(run))


@subscribe(RenderFailed)
def on_render_failed(event: RenderFailed) -> None:
    """Record the failure of the run that submitted the render, and trigger subscribed automations."""
    run = find_run_of_render(event.render_id)
    if run is not None:
        lock_account(event.owner_id)
        record_failure(automation_id=run.automation_id, message=f"its render failed ({event.code}).")
    _after_render("render.failed", event, chain_of(run))


@subscribe(RenderCancelled)
def on_render_cancelled(event: RenderCancelled) -> None:
    """Trigger subscribed automations."""
    _after_render("render.cancelled", event, chain_of(find_run_of_render(event.render_id)))


@subscribe(AssetReady)
def on_asset_ready(event: AssetReady) -> None:
    """Trigger subscribed automations."""
    _after_asset("asset.ready", event.asset_id, event.owner_id)


@subscribe(AssetFailed)
def on_asset_failed(event: AssetFailed) -> None:
    """Trigger subscribed automations."""
    _after_asset("asset.failed", event.asset_id, event.owner_id)


@subscribe(BatchCompleted)
def on_batch_completed(event: BatchCompleted) -> None:
    """Trigger subscribed automations."""
    if rows := subscribed_automations(owner_id=event.owner_id, event="batch.completed"):
        batch = Batch.objects.get(pk=event.batch_id)
        counts = {name: getattr(event, name) for name in ("total", "succeeded", "failed", "cancelled")}
        data = {**batch_data(batch), **counts, "credits_charged": format_credits(event.credits_charged)}
        _start_runs(rows, "batch.completed", batch.public_id, data, ())


def _after_render(name: str, event: RenderEvent, chain: tuple[str, ...]) -> None:
    if rows := subscribed_automations(owner_id=event.owner_id, event=name):
        render = Render.objects.without_large_columns().get(pk=event.render_id)
        _start_runs(rows, name, render.public_id, render_data(render), chain)


def _after_asset(name: str, asset_id: UUID, owner_id: UUID) -> None:
    if rows := subscribed_automations(owner_id=owner_id, event=name):
        asset = Asset.objects.get(pk=asset_id)
        _start_runs(rows, name, asset.public_id, asset_data(asset), ())


def _start_runs(rows: list[Automation], name: str, resource: str, data: dict[str, Any], chain: tuple[str, ...]) -> None:
    for automation in rows:
        # An automation is never triggered by its own effects.
        if automation.pk.hex not in chain and matches_filter(automation, data):
            trigger = AutomationTrigger("event", f"{name}:{resource}", name, data, chain)
            start_run_if_allowed(automation_id=automation.pk, trigger=trigger)


TRIGGER_EVENTS = (
    "render.succeeded",
    "render.failed",
    "render.cancelled",
    "batch.completed",
    "asset.ready",
    "asset.failed",
)
