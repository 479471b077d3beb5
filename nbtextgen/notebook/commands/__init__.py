"""The magics, one file for each noun; ``register`` gives them all to a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtextgen.notebook.awaiting import AwaitMagics
from nbtextgen.notebook.commands.generate import GenerateCommands
from nbtextgen.notebook.commands.train import TrainCommands
from nbtextgen.notebook.session import Commands, Session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

COMMANDS: tuple[type[Commands], ...] = (TrainCommands, GenerateCommands)


def register(shell: InteractiveShell) -> Session:
    """Register every magic; a second call replaces the first and keeps its trainings."""
    session = Session(shell)
    manager = shell.magics_manager
    assert manager is not None
    earlier = manager.registry.get(TrainCommands.__name__)
    if earlier is not None:
        session.trainings = earlier.session.trainings
    for commands in COMMANDS:
        shell.register_magics(commands(shell, session))
    AwaitMagics(shell).install()
    return session
