"""The static form of a panel in a saved notebook: text and HTML that need no kernel, as the panel was last on screen."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import traitlets
from IPython.core.getipython import get_ipython

from nbtextgen.core.escaping import visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.notebook.widgets import FOCUS, SHARED, module, style

if TYPE_CHECKING:
    from nbtextgen.export.page.live_page import LivePage


class Frame(anywidget.AnyWidget):
    """A part of a panel that hides its static form, by ``rule``, and keeps keys and the focus in the panel; shows nothing."""

    _esm = module(SHARED, FOCUS, "frame.js")
    _css = style(SHARED)
    rule = traitlets.Unicode().tag(sync=True)


class StaticForm:
    """Gives a widget a static form: a second output beside it, which is hidden while the widget lives.

    A widget's own output cannot be brought up to date, since a notebook would draw the widget anew and the focus would be
    lost. So the static form has an output of its own; ``summary`` returns it, and ``refresh_still`` brings it up to date.

    Attributes:
        live_page: a third output, which works where the widget does not live; or ``None``.
        around: the panel that this one is a part of, whose static form holds this one's; or ``None``.
    """

    live_page: LivePage | None = None
    around: StaticForm | None = None

    _still_id = ""
    _shown_still: dict[str, str] | None = None

    def summary(self) -> tuple[str, str]:
        """Return text, and HTML (already escaped) to show under the first line of it."""
        raise NotImplementedError

    def still(self) -> dict[str, str]:
        """Return the static form as a mime bundle."""
        text, page = self.summary()
        first = visible(text.partition("\n")[0])
        mark = f' class="{self._still_id}"' if self._still_id else ""
        return {"text/plain": text, "text/html": f"<div{mark}><pre>{first}</pre>{page}</div>"}

    def hidden_style(self) -> ipywidgets.Widget:
        """Return a part of the widget that hides the static form for as long as the page shows the widget; see ``Frame``."""
        return Frame(rule=self.hiding_rule(), layout={"display": "none"})

    def hiding_rule(self, where: str = "") -> str:
        """Return the rule of a style sheet that hides the static form; ``where`` is the beginning of its selectors."""
        self._still_id = f"ntg-still-{uuid.uuid4().hex[:12]}"
        return f"{where}.jp-OutputArea-child:has(.{self._still_id}),{where}.{self._still_id}{{display:none}}"

    def _still_output(self) -> dict[str, str]:
        """Return the static form with a rule that hides the widget's own output where it shows no widget.

        JupyterLab writes "Error displaying widget: model not found" there in a notebook that is opened with another kernel, and
        gives the output the class of a widget, which is that of the output's content otherwise.
        """
        still = self.still()
        failed = ".jp-OutputArea-child:has(>.jp-OutputArea-output.jupyter-widgets)"
        rule = f"<style>{failed}:has(+.jp-OutputArea-child .{self._still_id}){{display:none}}</style>"
        return still | {"text/html": rule + still["text/html"]}

    def refresh_still(self) -> None:
        """Bring the static form up to date, if it is shown, or that of the panel around; may be called from any thread."""
        if self.around is not None:
            self.around.refresh_still()
        if self._shown_still is None:
            return
        still = self._still_output()
        if still != self._shown_still:
            self._shown_still = still
            _display(still, self._still_id, update=True)

    def remove_still(self) -> None:
        """Empty the static form of a panel that its reader has closed."""
        if self.around is not None:
            self.around.refresh_still()
        if self._shown_still is not None:
            self._shown_still = None
            _display({"text/plain": "", "text/html": ""}, self._still_id, update=True)

    def _repr_mimebundle_(self, **kwargs: object) -> Any:
        bundle = getattr(super(), "_repr_mimebundle_", dict)(**kwargs)  # ipywidgets 7 has none
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return (data or {}) | self.still(), metadata

    def _display_(self) -> object:
        """Return what marimo shows: the anywidgets of the panel below one another, or its static form if it has other inputs."""
        with optional_import("A panel outside of Jupyter", "marimo"):
            marimo = import_module("marimo")
        parts = list(_visible_parts(self))  # type: ignore[arg-type]
        if all(isinstance(part, anywidget.AnyWidget) for part in parts):
            return marimo.vstack([marimo.ui.anywidget(part) for part in parts])
        return marimo.Html(self.still()["text/html"])

    def _ipython_display_(self) -> None:
        """Show the widget, and its static form beside it; a terminal shows the text alone."""
        if not hasattr(get_ipython(), "kernel"):
            raise NotImplementedError
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}  # type: ignore[attr-defined]
        _display({"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}, uuid.uuid4().hex)
        self._shown_still = self._still_output()
        _display(self._shown_still, self._still_id)
        if self.live_page is not None:
            page = f'<div class="{self._still_id}">{self.live_page.html()}</div>'
            _display({"text/plain": repr(self.live_page), "text/html": page}, uuid.uuid4().hex)


class PlainBox(StaticForm, ipywidgets.VBox):
    """Widgets below one another, with a static form."""

    def __init__(self, children: Sequence[ipywidgets.Widget], summary: Callable[[], tuple[str, str]]) -> None:
        self._summary = summary
        super().__init__([*children, self.hidden_style()])

    def summary(self) -> tuple[str, str]:
        """Return text, and HTML to show under it."""
        return self._summary()


class Below(ipywidgets.VBox):
    """What a panel has opened below itself; the panel's static form holds that of each part."""

    def __init__(self, panel: StaticForm) -> None:
        self._panel = panel
        super().__init__()

    def show(self, *parts: ipywidgets.Widget) -> None:
        """Show these parts in the place of those before, which end their work and leave no widget behind."""
        opened, self.children = self.children, parts
        for part in parts:
            if isinstance(part, StaticForm):
                part.around = self._panel
        for part in opened:
            if part not in parts:
                close_whole(part)

    def summary(self) -> tuple[str, str]:
        """Return the parts as text and as static HTML, without those that the reader has closed."""
        texts, pages = list[str](), list[str]()
        for part in self.children:
            summary = getattr(part, "summary", None)
            if part.comm is None:
                continue
            if summary is not None:
                text, page = summary()
                texts.append(text)
                pages.append(page)
            elif isinstance(part, ipywidgets.HTML):
                pages.append(part.value)
        return "\n".join(texts), "".join(pages)


def close_whole(widget: ipywidgets.Widget) -> None:
    """Close a widget with all that belongs to it, and end its work."""
    cancel = getattr(widget, "cancel", None)
    if callable(cancel):
        cancel()
    for child in getattr(widget, "children", ()):
        close_whole(child)
    widget.close()
    for name in ("layout", "style"):
        belonging = getattr(widget, name, None)
        if isinstance(belonging, ipywidgets.Widget):
            belonging.close()


def _visible_parts(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """The widgets in a box, without empty and hidden ones."""
    if not isinstance(widget, ipywidgets.Box):
        yield widget
    else:
        for child in widget.children:
            if child.layout is None or child.layout.display != "none":
                yield from _visible_parts(child)


def _display(data: Mapping[str, object], display_id: str, *, update: bool = False) -> None:
    from IPython.display import display

    display(data, raw=True, display_id=display_id, update=update)
