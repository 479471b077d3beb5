"""The notebook room: magics, panels and widgets; ``panel`` opens a panel from Python."""

from __future__ import annotations

from typing import Any


def panel(name: str = "", text: str = "", *, kind: str = "auto", data: str = "") -> Any:
    """Return the panel that ``%textgen_panel`` shows.

    Args:
        name: a variable that holds a model, or receives one.
        text: the first source of the Generate panel.
        kind: ``auto``, ``train``, ``generate``, ``tune`` or ``history``.
        data: the training data, as after ``--data``.

    Raises:
        OptionError: outside of IPython, or if there is no such model.

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
    return commands.open([word for word in (name, text) if word], kind, data)
