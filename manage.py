#!/usr/bin/env python
"""Django's command-line utility."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run a management command; report invalid settings in one line and exit with status 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Settings: {' '.join(str(error).split())}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
