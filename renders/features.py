"""Features of renders that differ between versions of the API."""

from api.features import Feature, features

features.register(Feature("progress_object", "The progress of a render in detail.", since=2, is_fixed=True))
features.register(Feature("batches", "Many renders in one request.", since=2))
features.register(Feature("long_poll", "Wait for a change with ?wait= and Prefer: wait.", since=2))
features.register(Feature("render_events", "Follow a render as server-sent events.", since=2))
