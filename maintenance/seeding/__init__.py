"""Demo data: realistic rows for demos and measurements."""

from maintenance.seeding.seeder import SeedPlan, SeedResult, seed

__all__ = ["SeedPlan", "SeedResult", "seed"]
