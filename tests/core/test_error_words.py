"""Errors and warnings name options as the user writes them there: in Python, on the line of a magic, in a panel."""

from __future__ import annotations

import pickle

import pytest

from nbtextgen import TextGenerator
from nbtextgen.core.errors import DataError, NbTextGenError, OptionError, form_words
from nbtextgen.notebook.live.record import Record
from nbtextgen.training.events import TrainingWarning
from nbtextgen.training.progress import line


@pytest.mark.parametrize(
    ("message", "python", "magic", "form"),
    [
        ("use --beam=1.", "use beam=1.", "use --beam 1.", "use beam 1."),
        ("raise --max-length", "raise max_length", "raise --max-length", "raise max length"),
        ("--precision=int8 works", "precision='int8' works", "--precision int8 works", "precision int8 works"),
        ("(--attention=none)", "(attention='none')", "(--attention none)", "(attention none)"),
        ("give --source=NAME", "give source=NAME", "give --source NAME", "give source NAME"),
        (
            "--live needs a model: %textgen_panel NAME --kind=tune, not --bits=8.",
            "live needs a model: %textgen_panel NAME --kind tune, not bits=8.",
            "--live needs a model: %textgen_panel NAME --kind tune, not --bits 8.",
            "live needs a model: %textgen_panel NAME --kind tune, not bits 8.",
        ),
        ("a well--known b---c", "a well--known b---c", "a well--known b---c", "a well--known b---c"),
    ],
)
def test_a_message_names_options_as_the_user_writes_them(message: str, python: str, magic: str, form: str) -> None:
    error = OptionError(message)
    assert (str(error), error.in_magic, error.in_form) == (python, magic, form)


def test_an_error_in_ipython_shows_the_users_own_lines_and_the_message() -> None:
    with pytest.raises(NbTextGenError) as caught:
        TextGenerator(dropout=2)
    lines = "\n".join(caught.value._render_traceback_())
    assert "TextGenerator(dropout=2)" in lines and "core/options.py" not in lines
    assert lines.endswith("OptionError: dropout must be a number in [0, 1) (got 2).")


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(DataError("raise --max-length")))
    assert error.in_magic == "raise --max-length"


def test_a_warning_of_training_names_options_as_the_user_writes_them() -> None:
    warning, record = TrainingWarning("raise --max-length"), Record("model")
    assert str(warning) == "raise max_length" and line(warning) == "Note: raise max_length"
    record(warning)
    record.words = form_words
    record(warning)
    assert record.warnings == ["raise --max-length", "raise max length"]
