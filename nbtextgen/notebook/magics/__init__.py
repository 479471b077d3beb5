"""The magics, one file for each noun; ``register`` gives them all to a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtextgen.notebook.arguments import COMMON
from nbtextgen.notebook.awaiting import AwaitMagics
from nbtextgen.notebook.completing import Completer
from nbtextgen.notebook.magics.data import DATA, DataCommands
from nbtextgen.notebook.magics.evaluate import EVALUATE, EvaluateCommands
from nbtextgen.notebook.magics.explain import EXPLAIN, ExplainCommands
from nbtextgen.notebook.magics.files import SAVE, FileCommands
from nbtextgen.notebook.magics.generate import GENERATE, GenerateCommands
from nbtextgen.notebook.magics.panel import PANEL, PanelCommands
from nbtextgen.notebook.magics.runs import RUNS, RunCommands
from nbtextgen.notebook.magics.text import CONTINUE, TextCommands
from nbtextgen.notebook.magics.train import TRAIN, TrainCommands
from nbtextgen.notebook.session import Commands, Session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

COMMANDS: tuple[type[Commands], ...] = (
    TrainCommands,
    GenerateCommands,
    ExplainCommands,
    EvaluateCommands,
    DataCommands,
    TextCommands,
    FileCommands,
    PanelCommands,
    RunCommands,
)

OPTIONS = {
    "textgen_train": TRAIN,
    "textgen_generate": GENERATE,
    "textgen_explain": EXPLAIN,
    "textgen_evaluate": EVALUATE,
    "textgen_data": DATA,
    "textgen_panel": PANEL,
    "textgen_continue": CONTINUE,
    "textgen_save": SAVE,
    "textgen_load": COMMON,
    "textgen_runs": RUNS,
}
FIRST_WORDS = {
    "textgen_train": "new",
    "textgen_generate": "model",
    "textgen_explain": "model",
    "textgen_evaluate": "model",
    "textgen_data": "data",
    "textgen_continue": "model",
    "textgen_panel": "model",
    "textgen_save": "file",
    "textgen_load": "file",
    "textgen_runs": "run",
}
"""What completes the first word of each magic."""


def register(shell: InteractiveShell) -> Session:
    """Register every magic; a second call replaces the first and keeps its trainings."""
    session = Session(shell)
    manager = shell.magics_manager
    assert manager is not None
    earlier = manager.registry.get(TrainCommands.__name__)
    if earlier is not None:
        session.trainings, session.reach = earlier.session.trainings, earlier.session.reach
    for commands in COMMANDS:
        shell.register_magics(commands(shell, session))
    AwaitMagics(shell).install()
    _offer_explanations(shell, session)
    Completer(session, OPTIONS, FIRST_WORDS).install()
    return session


def _offer_explanations(shell: InteractiveShell, session: Session) -> None:
    """Have a notebook show generated texts with a button that explains them."""
    display: Any = shell.display_formatter
    if not session.rich or display is None:
        return

    def shown(written: Any) -> dict[str, Any]:
        from nbtextgen.notebook.explain.buttons import bundle

        return bundle(session, written)

    for name in ("Generation", "Generations"):
        display.mimebundle_formatter.for_type_by_name("nbtextgen.inference.generation", name, shown)
