"""A database full of believable rows, for trials and measurements."""

from maintenance.seeding.seeder import SeedPlan, SeedResult, seed

__all__ = ["SeedPlan", "SeedResult", "seed"]
