"""`manage.py clear_cache`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from api.response_cache.cache import response_cache
from api.response_cache.store import CacheStoreUnavailable
from core.cache_tags.registry import tagged_tables
from core.cache_tags.versions import increment_tag


class Command(BaseCommand):
    """Invalidate cached responses, at once and in all processes."""

    help = "Invalidate cached API responses: all of them, or those that show rows of one kind."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --tag, with the registered tags as choices."""
        names = sorted({tagged.tag for tagged in tagged_tables.values()})
        parser.add_argument("--tag", choices=names, help="only responses that show these rows")

    def handle(self, *args: Any, **options: Any) -> None:
        """Increment the tag; without one, increment the global tag and free the space."""
        if options["tag"]:
            increment_tag(tag=options["tag"])
            self.stdout.write(f"Cached responses that show {options['tag']} are invalidated.")
            return
        increment_tag()
        if (cache := response_cache()) is not None:
            try:
                cache.clear()
            except CacheStoreUnavailable as error:
                message = f"All cached responses are invalidated, but their space was not freed: {error}"
                raise CommandError(message) from error
        self.stdout.write("All cached responses are invalidated.")
