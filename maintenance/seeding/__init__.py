"""A database full of believable rows, for trials and measurements."""

from maintenance.seeding.run import Seeded, SeedPlan, seed

__all__ = ["SeedPlan", "Seeded", "seed"]
