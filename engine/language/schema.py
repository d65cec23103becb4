"""JSON Schema of the edit language, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from engine.language.clip import ASSET_TYPES
from engine.language.edit import Edit

_UNSUPPORTED = "UnsupportedAsset"


def edit_json_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an edit.

    ref_template: where references point, e.g. `#/components/schemas/{model}` for OpenAPI.
    """
    schema = Edit.model_json_schema(by_alias=True, ref_template=ref_template)
    definitions = schema["$defs"]
    definitions.pop(_UNSUPPORTED)
    asset = definitions["Clip"]["properties"]["asset"]
    unsupported = ref_template.format(model=_UNSUPPORTED)
    asset["oneOf"] = [choice for choice in asset["oneOf"] if choice["$ref"] != unsupported]
    mapping = dict(zip(ASSET_TYPES, (choice["$ref"] for choice in asset["oneOf"]), strict=True))
    asset["discriminator"] = {"propertyName": "type", "mapping": mapping}
    return schema
