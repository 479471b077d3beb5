"""The data of a Train or Tune panel: the fields that name it, and ``DataSource``, which reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nbtextgen.core.errors import DataError, NbTextGenError, form_words
from nbtextgen.core.wording import counted
from nbtextgen.data.builtin import BUILTIN_NAMES
from nbtextgen.data.readers.files import is_pairs_file
from nbtextgen.notebook.arguments import COLUMN_NAMES
from nbtextgen.notebook.code import Values, call
from nbtextgen.notebook.panels.fields import text_field
from nbtextgen.notebook.session import Session
from nbtextgen.notebook.variables import column_names, data_variables, is_generator
from nbtextgen.pipeline.data_checks import check_enough
from nbtextgen.pipeline.dataset import cleaning_note, read_pairs
from nbtextgen.pipeline.defaults import check_files

if TYPE_CHECKING:
    from nbtextgen.data.pairs import Cleaned

FIELDS = [
    text_field("name", "the variable that receives the model"),
    text_field("data", "a variable or expression of the notebook, a file, or a built-in set"),
    text_field("source", "name of the source column, when there are more than two", placeholder="first of two columns"),
    text_field(
        "target", "name of the target column, when there are more than two", placeholder="second of two columns"
    ),
    text_field("encoding", "encoding of the file, such as cp1252", placeholder="Unicode"),
]
FILES = ("synonyms", "source_embeddings", "target_embeddings")
"""Settings that name a file which is read before a training begins."""
MAX_FILES = 50
DELAY = 0.4
"""Seconds after the last change of a form until its data are read."""


def suggestions(session: Session, data: str) -> dict[str, list[str]]:
    """Return names to offer: variables that look like data, files beside the notebook, built-in sets, columns."""
    files = sorted(path.name for path in Path().glob("*") if is_pairs_file(path))[:MAX_FILES]
    columns = column_names(session.variables.get(data))
    return {
        "data": [*data_variables(session.variables), *files, *(f"builtin:{name}" for name in BUILTIN_NAMES)],
        "source": columns,
        "target": columns,
        "start": session.models(),
    }


def only_data(session: Session) -> str:
    """Return the variable that holds data, if there is just one; empty otherwise."""
    names = data_variables(session.variables)
    return names[0] if len(names) == 1 else ""


class DataSource:
    """Reads the pairs that a form names, and keeps them until it names others."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._cached: tuple[tuple[str, ...], Cleaned] | None = None

    def prepared(self, values: Values, clean: str | None = None, *, again: bool = False) -> Cleaned:
        """Return the pairs as a training reads them.

        Args:
            values: the values of the form.
            clean: cleaning steps.
            again: read the pairs even if the form names the same as before, since a variable may have changed.

        Raises:
            DataError: if there is no data, or it cannot be read.
            OptionError: for an unknown cleaning step.
        """
        key = (*(values.get(name) or "" for name in ("data", "source", "target", "encoding")), clean or "")
        if not key[0]:
            raise DataError("Enter the data: a variable, a file, or a built-in data set such as builtin:dates.")
        if again or self._cached is None or self._cached[0] != key:
            data = self.session.data(key[0])
            if isinstance(data, Iterator):  # looking at it would leave nothing to train on
                raise DataError(f"{key[0]} can be read only once; enter list({key[0]}), or make a list of it before.")
            pairs, _ = read_pairs(data, None, clean or None, *(values.get(name) or None for name in COLUMN_NAMES))
            check_enough(pairs.pairs)
            self._cached = (key, pairs)
        return self._cached[1]

    def problems(self, values: Values) -> dict[str, str]:
        """Return an error for the name of the model, and for the one to go on from, if they are refused, by field."""
        problems = dict[str, str]()
        try:
            self.session.new_name([values["name"]] if values.get("name") else [], "")
        except NbTextGenError as error:
            problems["name"] = error.in_form
        start = values.get("start")
        try:
            value = self.session.data(start, "--start") if start else None
            if start and not is_generator(value) and not isinstance(value, (str, Path)):
                problems["start"] = f"{start} holds {type(value).__name__}; name a trained model or the folder of one."
        except NbTextGenError as error:
            problems["start"] = error.in_form
        return problems


def refused_files(settings: Values) -> dict[str, NbTextGenError]:
    """Return an error for each setting that names a file of synonyms or embeddings which a training would refuse."""
    problems = dict[str, NbTextGenError]()
    for name in FILES:
        try:
            check_files(**dict.fromkeys(FILES) | {name: settings.get(name)}, width=settings.get("embedding_size"))
        except NbTextGenError as error:
            problems[name] = error
    return problems


def size_and_example(ready: Cleaned) -> str:
    """Return how many pairs there are, the first of them, and what the reader and the cleaning have to say."""
    notes = " ".join(filter(None, [*map(form_words, ready.pairs.notes), cleaning_note(ready)]))
    source, target = (text if len(text) <= 60 else text[:57] + "…" for text in ready.pairs[0])
    return f"{counted(len(ready.pairs), 'pair')}, for instance “{source}” → “{target}”. {notes}".rstrip()


def refusal(error: NbTextGenError, values: Values) -> tuple[str, str]:
    """Return the field that an error about the data belongs to, and the error in the words of the form."""
    words = error.in_form
    if "encoding" in words:
        return "encoding", words
    given = [side for side in ("source", "target") if values.get(side)]
    columns, advice, _ = words.partition("; say which ")
    if advice and len(given) == 1:
        side = "target" if given == ["source"] else "source"
        return side, f"{columns}; enter the {side} column here."
    if advice:
        return "data", f"{columns}; enter two of them below, as source and target."
    named = [side for side in ("source", "target") if f"{side} column" in words]
    quoted = [side for side in given if f"'{values[side]}'" in words]
    return next(iter([*named, *quoted]), "data"), words


def columns_of(values: Values) -> dict[str, str]:
    """Return the columns and the encoding that the user named."""
    return {name: values[name] for name in COLUMN_NAMES if values.get(name)}


def fit_code(session: Session, values: Values, settings: Values, starting: Values | None = None) -> str:
    """Return the Python that trains; ``starting`` names the model to go on from."""
    generator, more = call("TextGenerator", "", settings), dict(starting or {})
    start = [f"start={session.data_as_code(more.pop('start'))}"] if "start" in more else []
    data = ", ".join([session.data_as_code(values.get("data") or ""), *start])
    fit = call("fit", data, {**columns_of(values), **more})
    return f"from nbtextgen import TextGenerator\n{values.get('name')} = {generator}.{fit}"
