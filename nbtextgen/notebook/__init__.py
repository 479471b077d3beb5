"""The notebook room: magics, panels and widgets; ``panel`` opens a panel, and ``live_page`` a page that needs no kernel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions
    from nbtextgen.export.page.live_page import LivePage
    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.explain.panel import ExplanationPanel
    from nbtextgen.notebook.panels.generate import GeneratePanel


def panel(
    name: str | TextGenerator = "", text: str = "", *, kind: str = "auto", data: str = "", live: int = 0
) -> object:
    """Return the panel that ``%textgen_panel`` shows, or a panel of a model without magics, as for marimo and Voila.

    Args:
        name: a variable that holds a model, or receives one; or a model itself.
        text: the first source of the Generate panel, or the source that is explained.
        kind: ``auto``, ``train``, ``generate``, ``tune`` or ``history``; of a model ``generate`` (``auto``) or ``explain``.
        data: the training data, as after ``--data``.
        live: of the Generate panel, bits of each weight (16 or 8) that the saved notebook holds, so that it generates without a
            kernel; 0 for none.

    Raises:
        OptionError: for a name outside of IPython, or if there is no such model or panel.

    Example:
        >>> panel(model, "abc").names
        ['model']
        >>> panel(model, "abc", kind="explain").explanation.text
        'cba'
    """
    from IPython.core.getipython import get_ipython

    from nbtextgen.core.errors import OptionError

    if not isinstance(name, str):
        return _panel_of(name, text, kind, live)
    from nbtextgen.notebook.magics import PanelCommands, register

    shell = get_ipython()
    if shell is None or shell.magics_manager is None:
        raise OptionError("Panels of variables need IPython or Jupyter; elsewhere give the model itself: panel(model).")
    if PanelCommands.__name__ not in shell.magics_manager.registry:
        register(shell)
    commands = shell.magics_manager.registry[PanelCommands.__name__]
    return commands.open([word for word in (name, text) if word], kind, data, live)


def _panel_of(model: TextGenerator, text: str, kind: str, live: int) -> ExplanationPanel | GeneratePanel:
    """The panel of a model that need not be in a variable."""
    from nbtextgen.core.errors import OptionError
    from nbtextgen.notebook.explain.panel import ExplanationPanel
    from nbtextgen.notebook.panels.generate import GeneratePanel
    from nbtextgen.notebook.session import Session

    if kind == "explain":
        return ExplanationPanel.of(model, text)
    if kind not in ("auto", "generate"):
        raise OptionError(f"A panel of a model is of --kind=generate or --kind=explain (got {kind}); else give a name.")
    shell: Any = SimpleNamespace(user_ns={"model": model}, kernel=None)
    page = live_page(model, text, bits=live, still=False) if live else None
    return GeneratePanel(Session(shell), "model", text, page)


def live_page(
    model: TextGenerator,
    text: str = "",
    *,
    name: str = "model",
    bits: int = 16,
    still: bool = True,
    **decoding: Unpack[DecodingOptions],
) -> LivePage:
    """Return an output that generates and explains without a kernel, in a saved notebook and in pages exported from it.

    Args:
        model: a trained model.
        text: what it begins with; by default a held-out input.
        name: what the model is called.
        bits: of each weight, 16 or 8, with which the output is half as large.
        still: whether the output shows what the model generates where it may not run.
        decoding: as in ``generate``.

    Raises:
        OptionError: if it would be too large for a notebook.
    """
    from nbtextgen.core.options import build
    from nbtextgen.decoding.config import DecodingConfig
    from nbtextgen.export.page.live_page import check_live
    from nbtextgen.export.page.live_page import live_page as made
    from nbtextgen.notebook.panels.example import example

    text = text or example(model)
    config = build(DecodingConfig, decoding)
    check_live(model.predictor, name, bits, config)
    generation = model.generate(text, **decoding) if still and text.strip() else None
    return made(model, name, text, bits, config, generation)
