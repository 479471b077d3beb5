"""Settings in files: read by name, or refused with the file, the name and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import options_of
from nbtextgen.core.settings_file import read_settings
from nbtextgen.training.config import TrainingConfig

OPTIONS = options_of(TrainingConfig)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", "epochs = 3\nbatch-size = 8\n"),
        ("a.cfg", "\ufeffepochs = 3.0\r\nbatch_size = 8\r\n"),
        ("a.json", '{"epochs": 3, "batch-size": 8}'),
        ("A.JSON", '\ufeff{"batch_size": 8, "epochs": 3}'),
    ],
)
def test_settings_are_read_by_name(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert read_settings(tmp_path / name, OPTIONS) == {"epochs": 3, "batch_size": 8}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", 'epochs = "one"', "a.toml: epochs must be a whole number between 1 and 100000 (got 'one')."),
        ("a.toml", "batch-size = true", "a.toml: batch-size must be a whole number"),
        ("a.toml", "epochs = 2024-01-01", "a.toml: epochs must be a whole number"),
        ("a.json", '{"epochs": 1e400}', "a.json: epochs must be a whole number between 1 and 100000 (got inf)."),
        ("a.toml", "epoch = 1", "a.toml: there is no setting 'epoch'. Did you mean 'epochs'?"),
        (
            "a.toml",
            "[training]\nepochs = 1",
            "there is no setting 'training'. It is a table; write the settings in it at the top",
        ),
        ("a.toml", "training.epochs = 1", "It is a table"),
        ("a.json", '{"training": {"epochs": 1}}', "It is a table"),
        ("a.toml", "epochs = 1\nepochs = 2", "a.toml is not valid TOML: Cannot overwrite a value"),
        ("a.toml", "batch-size = 1\nbatch_size = 2", "a.toml: 'batch_size' is given twice; leave one of them out."),
        ("a.json", '{"epochs": 1, "epochs": 2}', "a.json is not valid JSON: 'epochs' is given twice."),
        ("a.yml", "epochs: 1", "Write it as TOML, such as epochs = 8, or as JSON."),
        ("a.json", "[1]", 'a.json holds a list, not settings by name, such as {"epochs": 8}.'),
        ("a.json", "", "a.json is not valid JSON"),
        ("a.toml", "# é".encode("latin-1"), "a.toml is not UTF-8 text; save it as UTF-8."),
        ("a.toml", "epochs = 1".encode("utf-16"), "a.toml is not UTF-8 text; save it as UTF-8."),
        ("a.toml", "epochs = " + "[" * 5000 + "]" * 5000, "a.toml is nested too deeply to hold settings."),
        (
            "a.json",
            '{"epochs": ' + "[" * 100_000 + "]" * 100_000 + "}",
            "a.json is nested too deeply to hold settings.",
        ),
    ],
)
def test_a_settings_file_is_refused_with_its_name_and_the_place(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(OptionError) as caught:
        read_settings(path, OPTIONS)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is a folder; give a settings file, in TOML or JSON"):
        read_settings(tmp_path, OPTIONS)
    with pytest.raises(OptionError, match="There is no settings file"):
        read_settings(tmp_path / "nothing.toml", OPTIONS)
