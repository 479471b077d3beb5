"""The part that the Train and Tune panels share: a name for the model, the data, and its columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtextgen.core.errors import DataError, NbTextGenError
from nbtextgen.data.builtin import BUILTIN_NAMES
from nbtextgen.data.readers.files import SUFFIXES
from nbtextgen.notebook.panels.fields import text_field
from nbtextgen.notebook.session import Session, names_a_file
from nbtextgen.notebook.show_code import call

if TYPE_CHECKING:
    from nbtextgen.pipeline.preparing import Prepared

FIELDS = [
    text_field("name", "the variable that receives the model"),
    text_field("data", "a variable or expression of the notebook, a file, or a built-in set"),
    text_field("source", "name of the source column, when there are more than two", placeholder="first of two columns"),
    text_field(
        "target", "name of the target column, when there are more than two", placeholder="second of two columns"
    ),
]
MOST_FILES = 50


def suggestions(session: Session, data: str) -> dict[str, list[str]]:
    """Names to offer: variables that look like data, files beside the notebook, built-in sets, columns."""
    variables = [
        name
        for name, value in list(session.variables.items())
        if not name.startswith("_") and name not in ("In", "Out", "exit", "quit") and _looks_like_data(value)
    ]
    files = sorted(path.name for path in Path().glob("*") if path.suffix in SUFFIXES)[:MOST_FILES]
    columns = _columns(session.variables.get(data))
    return {
        "data": [*variables, *files, *(f"builtin:{name}" for name in BUILTIN_NAMES)],
        "source": columns,
        "target": columns,
    }


def _looks_like_data(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and isinstance(value[0], (tuple, list, dict))
    return (
        isinstance(value, dict)
        or hasattr(value, "column_names")
        or (hasattr(value, "columns") and hasattr(value, "shape"))
    )


def _columns(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        return [str(name) for name in value[0]]
    if isinstance(value, dict):
        return [str(name) for name in value]
    names = getattr(value, "column_names", None) or getattr(value, "columns", None)
    return [] if names is None else [str(name) for name in names]


class DataSource:
    """Reads the pairs that a form names, and remembers them as long as it names the same."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._known: tuple[tuple[str, str, str, str], Prepared] | None = None

    def prepared(self, values: Mapping[str, Any], clean: str | None = None, *, again: bool = False) -> Prepared:
        """The pairs as a training would read them.

        Args:
            values: of the form.
            clean: cleaning steps.
            again: read them even when the form names the same as before, since a variable may have changed.

        Raises:
            DataError: when there is no data, or it cannot be read.
            OptionError: for an unknown cleaning step.
        """
        from nbtextgen.pipeline.preparing import prepare

        key = (values.get("data") or "", values.get("source") or "", values.get("target") or "", clean or "")
        if not key[0]:
            raise DataError("Name the data: a variable, a file, or a built-in set such as builtin:dates.")
        if again or self._known is None or self._known[0] != key:
            found = prepare(self.session.data(key[0]), None, key[3] or None, key[1] or None, key[2] or None)
            self._known = (key, found)
        return self._known[1]

    def problems(self, values: Mapping[str, Any]) -> dict[str, str]:
        """What is wrong with name and data, by field."""
        found = {}
        try:
            self.session.new_name([values["name"]] if values.get("name") else [])
        except NbTextGenError as error:
            found["name"] = str(error)
        return found


def columns_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The column names given."""
    return {side: values[side] for side in ("source", "target") if values.get(side)}


def data_code(values: Mapping[str, Any]) -> str:
    """The data as Python code."""
    data = values.get("data") or ""
    return repr(data) if names_a_file(data) else data


def fit_code(values: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The Python that trains."""
    made = call("TextGenerator", "", settings)
    return f"from nbtextgen import TextGenerator\n{values.get('name')} = {made}.{call('fit', data_code(values), columns_of(values))}"
