"""`manage.py clear_cache`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from api.response_cache.answers import answer_cache
from api.response_cache.store import StoreUnavailable
from core.cache_tags.families import families
from core.cache_tags.generations import raise_generation


class Command(BaseCommand):
    """Make kept answers stale, at once and in all processes."""

    help = "Forget the answers that the server keeps: all of them, or those that show rows of one kind."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name of a tag."""
        names = sorted({family.name for family in families.values()})
        parser.add_argument("--tag", choices=names, help="only answers that show these rows")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise a generation; without a tag also give back the space."""
        if options["tag"]:
            raise_generation(family=options["tag"])
            self.stdout.write(f"Answers that show {options['tag']} will be made anew.")
            return
        raise_generation()
        if (cache := answer_cache()) is not None:
            try:
                cache.clear()
            except StoreUnavailable as error:
                message = f"All answers are stale, but the store does not answer: {error}"
                raise CommandError(message) from error
        self.stdout.write("All answers will be made anew.")
