"""The public names of the package: what ``dir``, ``help`` and Tab show."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import nbtextgen


def test_dir_lists_every_public_name_and_nothing_else() -> None:
    assert dir(nbtextgen) == sorted([*nbtextgen.__all__, "__version__"])
    assert all(getattr(nbtextgen, name) is not None for name in nbtextgen.__all__)


def test_tab_completes_names_that_are_not_imported_yet() -> None:
    shell = InteractiveShell()
    shell.user_ns["nbtextgen"] = nbtextgen
    with provisionalcompleter():
        completions = [completion.text for completion in shell.Completer.completions("nbtextgen.", len("nbtextgen."))]
    assert {name.lstrip(".") for name in completions} == set(nbtextgen.__all__)


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, nbtextgen; dir(nbtextgen); print([name for name in ('torch', 'numpy') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_describes_every_public_name() -> None:
    code = "import pydoc, nbtextgen; print(pydoc.plain(pydoc.render_doc(nbtextgen)))"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert [name for name in nbtextgen.__all__ if name not in text] == []


def test_the_installed_package_has_the_version_of_the_source() -> None:
    assert metadata.version("nbtextgen") == nbtextgen.__version__


def test_the_citation_names_the_version_of_the_source() -> None:
    citation = Path(__file__).parents[1] / "CITATION.cff"
    assert f"version: {nbtextgen.__version__}\n" in citation.read_text(encoding="utf-8")
