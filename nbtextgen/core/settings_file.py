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
from nbtextgen.core.wording import as_given

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
    settings: JsonObject = {}
    for key, value in _values(path).items():
        name = key.replace("-", "_")
        if name in settings:
            raise OptionError(f"{path}: '{key}' is given twice; leave one of them out.")
        if name in texts:
            if not isinstance(value, str):
                raise OptionError(f"{path}: {key} must be a text (got {as_given(value)}).")
            settings[name] = value
        elif name in options:
            try:
                settings[name] = options[name].check(value)
            except OptionError as error:
                raise OptionError(f"{path}: {error.message.replace(options[name].flag, key, 1)}") from None
        else:
            advice = nearest(name, [*options, *texts])
            if isinstance(value, dict):
                advice = " It is a table; write the settings in it at the top of the file, without its name."
            raise OptionError(f"{path}: there is no setting '{key}'.{advice}")
    return settings


def _values(path: Path) -> dict[str, object]:
    """What is in the file by name; raises ``OptionError`` if it cannot be read."""
    kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
    if path.is_dir():
        raise OptionError(f"{path} is a folder; give a settings file, in TOML or JSON.")
    if not path.is_file():
        raise OptionError(f"There is no settings file {path}; check its name.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        values: object = json.loads(text, object_pairs_hook=without_repeats) if kind == "JSON" else tomllib.loads(text)
    except UnicodeError:
        raise OptionError(f"{path} is not UTF-8 text; save it as UTF-8.") from None
    except RecursionError:
        raise OptionError(f"{path} is nested too deeply to hold settings.") from None
    except (OSError, ValueError) as error:
        advice = (
            " Write it as TOML, such as epochs = 8, or as JSON." if path.suffix.lower() in (".yaml", ".yml") else ""
        )
        raise OptionError(f"{path} is not valid {kind}: {error}.{advice}") from None
    if not isinstance(values, dict):
        held = {"list": "a list", "str": "a text"}.get(type(values).__name__, "a single value")
        raise OptionError(f'{path} holds {held}, not settings by name, such as {{"epochs": 8}}.')
    return cast("dict[str, object]", values)
