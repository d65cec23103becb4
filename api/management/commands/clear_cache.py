"""`manage.py clear_cache`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from api.response_cache.cache import response_cache
from api.response_cache.store import CacheStoreUnavailable
from core.cache_tags.registry import tagged_tables
from core.cache_tags.versions import increment_tag


class Command(BaseCommand):
    """Make kept answers stale, at once and in all processes."""

    help = "Forget the answers that the server keeps: all of them, or those that show rows of one kind."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name of a tag."""
        names = sorted({tagged.tag for tagged in tagged_tables.values()})
        parser.add_argument("--tag", choices=names, help="only answers that show these rows")

    def handle(self, *args: Any, **options: Any) -> None:
        """Increment a tag; without a tag also give back the space."""
        if options["tag"]:
            increment_tag(tag=options["tag"])
            self.stdout.write(f"Answers that show {options['tag']} will be made anew.")
            return
        increment_tag()
        if (cache := response_cache()) is not None:
            try:
                cache.clear()
            except CacheStoreUnavailable as error:
                message = f"All answers are stale, but the store does not answer: {error}"
                raise CommandError(message) from error
        self.stdout.write("All answers will be made anew.")
