"""The base of every model of the edit language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class EditModel(BaseModel):
    """A piece of an edit: read-only, camelCase in JSON, null means absent.

    Keys that no field knows are dropped here and reported by `engine.language.ignored_fields`.
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
    """Keys that are known and have no effect here -> why."""

    @model_validator(mode="before")
    @classmethod
    def tidy(cls, data: Any) -> Any:
        """Drop nulls and put synonyms under the one name; what is written under that name wins."""
        if not isinstance(data, dict):
            return data
        tidied = {key: value for key, value in data.items() if value is not None}
        for synonym, name in cls.SYNONYMS.items():
            if synonym in tidied:
                tidied.setdefault(name, tidied.pop(synonym))
        return tidied
