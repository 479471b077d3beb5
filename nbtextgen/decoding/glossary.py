"""Glossaries: from mappings, files and lines to entries ``source term => target term``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.names import plain_path

ARROW = " => "
"""Between the source term and the target term of an entry."""
OR = " | "
"""Between several target terms, one of which has to be in the output."""


def glossary_entries(value: object) -> tuple[str, ...]:
    """The entries of a glossary, each ``salt => sel`` or, with several target terms, ``salt => sel | sels``.

    Args:
        value: a mapping of source terms to target terms (a text, or a list of them); pairs; entries; or the name of a file with
            an entry per line (a tab or ``=>`` between the terms), or of a JSON file with a mapping.

    Raises:
        OptionError: for anything else.
    """
    if isinstance(value, Mapping):
        pairs = [(term, _alternatives(targets)) for term, targets in cast("Mapping[object, object]", value).items()]
        return tuple(_entry(term, targets) for term, targets in pairs)
    if isinstance(value := plain_path(value), (str, Path)):
        value = (str(value),)
    if not isinstance(value, Sequence):
        raise _refusal(value)
    entries = list[str]()
    for each in cast("Sequence[str | Sequence[object]]", value):
        if isinstance(each, str) and ARROW.strip() not in each:
            entries.extend(_file_entries(each))
        elif isinstance(each, str):
            term, _, targets = each.partition(ARROW.strip())
            entries.append(_entry(term, targets.split(OR.strip())))
        elif isinstance(each, Sequence) and len(each) == 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            entries.append(_entry(each[0], _alternatives(each[1])))
        else:
            raise _refusal(each)
    return tuple(entries)


def read_entry(entry: str) -> tuple[str, list[str]]:
    """Source term and target terms of an entry."""
    term, _, targets = entry.partition(ARROW)
    return term, targets.split(OR)


def _alternatives(targets: object) -> list[object]:
    is_list = isinstance(targets, Iterable) and not isinstance(targets, (str, bytes))
    return list(cast("Iterable[object]", targets)) if is_list else [targets]


def _entry(term: object, targets: Sequence[object]) -> str:
    texts = [text.strip() if isinstance(text, str) else "" for text in (term, *targets)]
    if len(texts) < 2 or not all(texts):
        raise OptionError(
            f"--glossary needs a source term and a target term in every entry (got {term!r}: {list(targets)!r})."
        )
    return texts[0] + ARROW + OR.join(texts[1:])


def _file_entries(name: str) -> Iterable[str]:
    """The entries in a file."""
    from nbtextgen.data.readers.text import read_text

    path = Path(name)
    if not path.is_file():
        if path.suffix:
            raise OptionError(f"--glossary: there is no file {name}.")
        raise _refusal(name)
    try:
        text = read_text(path)
        if path.suffix == ".json":
            values: object = json.loads(text)
            return glossary_entries(values)
    except (DataError, ValueError) as error:
        raise OptionError(f"--glossary: {name} cannot be read ({error}).") from None
    lines = [line for line in text.splitlines() if line.strip()]
    broken = next((number for number, line in enumerate(lines, 1) if "\t" not in line and "=>" not in line), 0)
    if broken:
        raise OptionError(f"--glossary: entry {broken} of {name} has neither a tab nor '=>' between its terms.")
    return glossary_entries([line.split("\t")[:2] if "\t" in line else line for line in lines])


def _refusal(value: object) -> OptionError:
    return OptionError(
        "--glossary must be a mapping of source terms to target terms, a file of them, or entries such as 'salt => sel' "
        f"(got {value!r})."
    )
