"""Names that other apps and stored rows know."""

COUNT_JOB = "analytics.count"
