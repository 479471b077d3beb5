"""Settings in a file: TOML or JSON, with Python names or spelled as options."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.names import without_repeats
from nbtextgen.core.options import Option

if TYPE_CHECKING:
    from nbtextgen.core.files import JsonObject


def read_settings(path: Path, options: Mapping[str, Option], texts: Sequence[str] = ()) -> JsonObject:
    """Read settings by their Python names.

    Args:
        path: a TOML file, or a JSON file whose name ends in ``.json``.
        options: that may be in it; their values are checked.
        texts: further names that may be in it, each with a text.

    Raises:
        OptionError: if the file is missing, is not TOML or JSON, or has an unknown key or a bad value.
    """
    path = Path(os.path.expanduser(path))
    kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
    if not path.is_file():
        raise OptionError(f"There is no settings file {path}; check its name.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        values: object = json.loads(text, object_pairs_hook=without_repeats) if kind == "JSON" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} is not valid {kind}: {error}.") from None
    if not isinstance(values, dict):
        raise OptionError(f'{path} holds a {type(values).__name__}, not settings by name, such as {{"epochs": 8}}.')
    settings: JsonObject = {}
    for key, value in cast("dict[str, object]", values).items():
        name = key.replace("-", "_")
        if name in settings:
            raise OptionError(f"{path}: '{key}' is given twice; leave one of them out.")
        if name in texts:
            if not isinstance(value, str):
                raise OptionError(f"{path}: {key} must be a text (got {value!r}).")
            settings[name] = value
        elif name in options:
            settings[name] = options[name].check(value)
        else:
            raise OptionError(f"{path}: there is no setting '{key}'.{nearest(name, [*options, *texts])}")
    return settings
