"""A feature whose package is not installed says so in one sentence, with the command that installs it."""

from __future__ import annotations

import sys

import pytest

from nbtextgen import Pairs, builtin
from nbtextgen.core.errors import MissingPackageError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.evaluation.metrics import measure


def test_missing_package_is_named_with_its_install_command() -> None:
    with (
        pytest.raises(MissingPackageError, match=r"^A chart needs Altair: pip install nbtextgen\[charts\]\.$"),
        optional_import("A chart", "Altair", "charts"),
    ):
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401


def test_features_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "rapidfuzz.distance", "sacrebleu.metrics.bleu", "ftfy", "babel.dates"):
        monkeypatch.setitem(sys.modules, name, None)
    cleaned = Pairs([("a"), ("b")], ["x", "y"]).clean("nfc")
    with pytest.raises(MissingPackageError, match=r"^A data frame needs pandas: pip install nbtextgen\[frames\]\.$"):
        cleaned.dropped_frame()
    for metric, package in (("error-rate", "rapidfuzz"), ("bleu", "sacrebleu")):
        with pytest.raises(MissingPackageError, match=f"^This metric needs {package}: pip install {package}\\.$"):
            measure(["a"], ["b"], [metric])
    with pytest.raises(MissingPackageError, match=r"'mojibake' needs ftfy: pip install nbtextgen\[clean\]\.$"):
        Pairs(["é"], ["x"]).clean("mojibake")
    with pytest.raises(MissingPackageError, match=r"^builtin:dates needs babel: pip install nbtextgen\[dates\]\.$"):
        builtin("dates", 10)
