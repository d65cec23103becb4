"""Base class of all models of the edit language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class EditModel(BaseModel):
    """A part of an edit: immutable, camelCase in JSON, null means absent.

    Unknown keys are dropped here and reported by `engine.language.ignored_fields`.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    SYNONYMS: ClassVar[Mapping[str, str]] = {}
    """Other spellings of a key -> the key."""

    IGNORED: ClassVar[Mapping[str, str]] = {}
    """Known keys without effect -> why."""

    @model_validator(mode="before")
    @classmethod
    def tidy(cls, data: Any) -> Any:
        """Drop nulls and rename synonyms; a value under the main name wins."""
        if not isinstance(data, dict):
            return data
        tidied = {key: value for key, value in data.items() if value is not None}
        for synonym, name in cls.SYNONYMS.items():
            if synonym in tidied:
                tidied.setdefault(name, tidied.pop(synonym))
        return tidied
