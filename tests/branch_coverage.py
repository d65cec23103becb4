"""`python -m tests.branch_coverage`: exits with 1 if the last measured run took too few of the product's branches.

The threshold in pyproject.toml is for lines and branches together, which untested branches hardly move.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from coverage import Coverage

MIN_BRANCH_PERCENT = 90.0


def branch_percent() -> float:
    """Return the share of branches that the recorded run took, in percent."""
    coverage = Coverage()
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage.json_report(outfile=str(report))
        return float(json.loads(report.read_text())["totals"]["percent_branches_covered"])


if __name__ == "__main__":
    percent = branch_percent()
    print(f"Branch coverage: {percent:.1f} % (at least {MIN_BRANCH_PERCENT:.0f} %)")
    sys.exit(percent < MIN_BRANCH_PERCENT)
