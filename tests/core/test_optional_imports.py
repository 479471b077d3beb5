"""A feature whose package is not installed says so in one sentence, with the command that installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize(
    "use",
    [
        "import nbtextgen; nbtextgen.TextGenerator",
        "from nbtextgen.cli import main; main(['train', 'pairs.tsv', '--save', 'model'])",
        "from IPython.core.interactiveshell import InteractiveShell as Shell; shell = Shell(); "
        "shell.run_cell('%load_ext nbtextgen'); shell.run_cell('%textgen_train words --data pairs.tsv')",
    ],
    ids=["python", "command", "magic"],
)
def test_without_torch_what_needs_it_says_so(use: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("a\tb\nc\td\n")
    program = f"import sys; sys.modules['torch'] = None; {use}"
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    said = ended.stdout + ended.stderr
    assert "This needs torch, which is not installed here: pip install torch. Only exported models generate" in said
    assert use.startswith("import nbtextgen") or "Traceback" not in said


WITHOUT_SHAP = """
import sys
sys.modules["shap"] = None
import nbtextgen
pairs = nbtextgen.Pairs(["ab", "bc", "ca"] * 4, ["ba", "cb", "ac"] * 4)
model = nbtextgen.TextGenerator(hidden_size=8, embedding_size=8, epochs=1, samples=0, device="cpu").fit(pairs, callbacks=[])
exact, sampled = model.explain("abc"), model.explain("abc" * 5, interactions=True, budget=200)
assert exact.algorithm.startswith("exact") and sampled.standard_errors is not None and sampled.sentence()
survey = model.explain_data(pairs, limit=2)
for use in (exact.shap, survey.shap, lambda: model.explain("abc", algorithm="partition")):
    try:
        use()
    except nbtextgen.NbTextGenError as error:
        print(error)
"""


def test_training_and_explaining_do_without_shap() -> None:
    """Only what is drawn or computed by shap itself needs it."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_SHAP], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        *["A table for plots needs shap: pip install shap."] * 2,
        "algorithm='partition' needs shap: pip install shap.",
    ], done.stderr
