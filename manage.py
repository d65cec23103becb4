#!/usr/bin/env python
"""Entry point of every command."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
