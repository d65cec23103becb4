"""From a validated edit and probed media to whole frames."""
