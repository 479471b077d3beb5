"""The magics, one file for each group. To add one, write its file and add its class to ``COMMANDS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtextgen.notebook.awaiting import AwaitMagics
from nbtextgen.notebook.cells import cell_magics
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.completion import Completer
from nbtextgen.notebook.magics.base import Commands
from nbtextgen.notebook.magics.continuation import ContinueCommands
from nbtextgen.notebook.magics.data import DataCommands
from nbtextgen.notebook.magics.evaluate import EvaluateCommands
from nbtextgen.notebook.magics.explain import ExplainCommands
from nbtextgen.notebook.magics.files import FileCommands
from nbtextgen.notebook.magics.generate import GenerateCommands
from nbtextgen.notebook.magics.panel import PanelCommands
from nbtextgen.notebook.magics.review import ReviewCommands
from nbtextgen.notebook.magics.runs import RunCommands
from nbtextgen.notebook.magics.train import TrainCommands
from nbtextgen.notebook.magics.tune import TuneCommands
from nbtextgen.notebook.session import Session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.inference.generation import Generation, Generations

COMMANDS: tuple[type[Commands], ...] = (
    TrainCommands,
    GenerateCommands,
    ReviewCommands,
    ExplainCommands,
    EvaluateCommands,
    DataCommands,
    ContinueCommands,
    FileCommands,
    PanelCommands,
    RunCommands,
    TuneCommands,
)


def register(shell: InteractiveShell) -> Session:
    """Register every magic with a shell; a second call replaces the first and keeps its trainings."""
    session = Session(shell)
    manager = shell.magics_manager
    assert manager is not None
    earlier = manager.registry.get(TrainCommands.__name__)
    if earlier is not None:
        session.take_over(earlier.session)
    for commands in COMMANDS:
        shell.register_magics(commands(shell, session))
    AwaitMagics(shell).install()
    cleanup = shell.input_transformers_cleanup
    cleanup[:] = [*(each for each in cleanup if getattr(each, "__name__", "") != cell_magics.__name__), cell_magics]
    _offer_explanations(shell, session)
    completions = {name: each for commands in COMMANDS for name, each in commands.completions().items()}
    Completer(session, completions).install()
    return session


def _offer_explanations(shell: InteractiveShell, session: Session) -> None:
    """Show generated texts in a notebook with a button that explains them."""
    display: Any = shell.display_formatter
    if not session.rich or display is None:
        return

    def mimebundle(output: Generation | Generations) -> Values:
        from nbtextgen.notebook.explain.buttons import bundle

        return bundle([session.variables[name] for name in session.models()], output)

    for name in ("Generation", "Generations"):
        display.mimebundle_formatter.for_type_by_name("nbtextgen.inference.generation", name, mimebundle)
