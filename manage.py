#!/usr/bin/env python
"""Entry point of every command."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command named on the command line; settings that cannot work are one line and exit status 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Settings: {' '.join(str(error).split())}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
