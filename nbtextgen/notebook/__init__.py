"""The notebook: magics, panels, and the panels' Python form."""

from __future__ import annotations

from typing import Any


def panel(name: str = "", text: str = "", *, kind: str = "auto", data: str = "") -> Any:
    """Give the panel that ``%textgen_panel`` shows.

    Args:
        name: a variable that holds a model, or shall receive one.
        text: for the Generate panel: a source to begin with.
        kind: ``auto``, ``train``, ``generate``, ``tune`` or ``history``.
        data: what to train on, as after ``--data``.

    Raises:
        OptionError: outside of IPython, or when there is no such model.

    Example:
        >>> panel("french", kind="tune")      # doctest: +SKIP
    """
    from IPython.core.getipython import get_ipython

    from nbtextgen.core.errors import OptionError
    from nbtextgen.notebook.magics import PanelCommands, register

    shell = get_ipython()
    if shell is None or shell.magics_manager is None:
        raise OptionError("Panels need a notebook or IPython.")
    if PanelCommands.__name__ not in shell.magics_manager.registry:
        register(shell)
    commands: Any = shell.magics_manager.registry[PanelCommands.__name__]
    return commands.open([one for one in (name, text) if one], kind, data)
