"""The edit language: typed models of a Shotstack-format edit, its merge fields, warnings and sources."""

from engine.language.colors import parse_color
from engine.language.edit import Edit
from engine.language.parse import ParsedEdit, parse_edit
from engine.language.schema import edit_json_schema
from engine.language.sources import SourceKind, SourceRef, sources

__all__ = [
    "Edit",
    "ParsedEdit",
    "SourceKind",
    "SourceRef",
    "edit_json_schema",
    "parse_color",
    "parse_edit",
    "sources",
]
