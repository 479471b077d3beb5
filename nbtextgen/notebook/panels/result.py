"""The bar under a training that has ended: try the model, explain it, evaluate it, save it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets

from nbtextgen.core.cancellation import CancellationToken, Cancelled
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.panels.example import example
from nbtextgen.notebook.panels.widgets import Progress, output, row, status
from nbtextgen.notebook.static import Below, StaticForm

if TYPE_CHECKING:
    from nbtextgen.export.page.live_page import LivePage
    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.session import Session


REVIEWED = 500
"""Held-out inputs whose outputs are reviewed, at most."""


class ResultBar(StaticForm, ipywidgets.VBox):
    """Buttons for what usually comes next; each opens below the bar, in the place of the one before."""

    def __init__(self, session: Session, name: str, live_page: LivePage | None = None, text: str = "") -> None:
        """Create the bar.

        Args:
            session: the notebook.
            name: the variable that holds the model.
            live_page: what generates where the bar does not live.
            text: an input to begin with if the model has no short one.
        """
        self.session, self.name, self.live_page, self._text = session, name, live_page, text
        self._worker = BackgroundWorker("nbtextgen result", on_error=self._show_error)
        self.progress, self.status, self.below = Progress(self.cancel), ipywidgets.HTML(), Below(self)
        self.buttons = {
            "Try it": self._button("Try it", "Generate while you type", self._try),
            "Explain": self._button("Explain", "Why the model writes what it writes", self._explain),
            "Evaluate": self._button("Evaluate", "Measure it on the held-out pairs", self._evaluate),
            "Review": self._button(
                "Review", "Decide about its outputs for held-out inputs, the doubtful first", self._review
            ),
            "Save": self._button("Save", f"Save the model to the folder {name}-model", self._save),
        }
        parts = [row(*self.buttons.values()), self.progress, self.status, self.below, self.hidden_style()]
        super().__init__(parts)

    def _button(self, text: str, tooltip: str, action: Callable[[TextGenerator], object]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=text, tooltip=tooltip, layout={"width": "auto"})

        def press(_: object) -> None:
            if button.disabled:  # the second press of a double click
                return
            try:
                action(self.session.model([self.name]))
            except NbTextGenError as error:
                self._show_error(error)
            self.refresh_still()

        button.on_click(press)
        return button

    @classmethod
    def opened(cls, session: Session, name: str, text: str) -> ResultBar:
        """Return the bar with "Try it" pressed; ``text`` as above."""
        bar = cls(session, name, text=text)
        bar._try(session.model([name]))
        return bar

    def _try(self, model: TextGenerator) -> None:
        from nbtextgen.notebook.panels.generate import GeneratePanel

        self.below.show(GeneratePanel(self.session, self.name, example(model) or self._text))

    def _explain(self, model: TextGenerator) -> None:
        from nbtextgen.notebook.explain.panel import ExplanationPanel

        self.below.show(ExplanationPanel.of(model, example(model) or self._text))

    def _evaluate(self, model: TextGenerator) -> None:
        pairs = model.held_out
        if pairs is None:
            self._show(f"No pairs were held out; give test pairs: %textgen_evaluate {self.name} --data test.tsv")
            return

        def work(token: CancellationToken) -> None:
            scores = model.evaluate(pairs, on_progress=self.progress.counter("pairs generated", token))
            scores.analysed = True
            table = scores._repr_mimebundle_()["text/html"]
            token.raise_if_cancelled()
            self._show("")
            self.below.show(output(table))

        self._begin("Evaluating \u2026", work)

    def _review(self, model: TextGenerator) -> None:
        pairs, name = model.held_out, f"{self.name}_outputs"
        if pairs is None:
            self._show(
                f"No pairs were held out; give inputs: todo = %textgen_generate {self.name} --data DATA, then %textgen_review todo"
            )
            return

        def work(token: CancellationToken) -> None:
            counter = self.progress.counter("outputs generated", token)
            outputs = model.generate_file(pairs.sources[:REVIEWED], on_progress=counter)
            token.raise_if_cancelled()
            self.session.variables[name] = outputs
            commands = self.session.shell.magics_manager.registry["ReviewCommands"]
            self._show(f"The outputs are in {name}; %textgen_review {name} goes on with them later.")
            self.below.show(commands.open(name, model_name=self.name))

        self._begin("Generating \u2026", work)

    def _begin(self, text: str, work: Callable[[CancellationToken], object]) -> None:
        """Do long work in the background, with a bar; meanwhile no other can begin."""
        self._show("")
        self._enable(False)

        def job(token: CancellationToken) -> None:
            try:
                with self.progress.shown(text):
                    work(token)
            except Cancelled:
                self._show("Cancelled.")
            finally:
                self._enable(True)
            self.refresh_still()

        self._worker.submit(job)

    def _enable(self, on: bool) -> None:
        """Let the buttons of long work be pressed, or not."""
        for name in ("Evaluate", "Review", "Save"):
            self.buttons[name].disabled = not on

    def _save(self, model: TextGenerator) -> None:
        def work(token: CancellationToken) -> None:
            folder = model.save(f"{self.name}-model")
            self._show(f"Saved to {folder}; load it with %textgen_load {self.name} {self.name}-model")

        self._begin("Saving \u2026", work)

    def _show(self, text: str) -> None:
        self.status.value = status(text) if text else ""

    def _show_error(self, error: BaseException) -> None:
        self.status.value = status(describe(error), alert=True)
        self.refresh_still()

    def summary(self) -> tuple[str, str]:
        """Return what is open below the bar as text and as static HTML."""
        text, page = self.below.summary()
        return "\n".join(filter(None, (f"{self.name}: %textgen_panel {self.name}", text))), self.status.value + page

    def cancel(self) -> None:
        """Stop what runs in the background."""
        self._worker.cancel()
        if not self._worker.busy:  # it had not begun
            self._enable(True)

    def still(self) -> dict[str, str]:
        """Return the static form: nothing before a button was pressed."""
        if not self.below.children and not self.status.value:
            return {"text/plain": "", "text/html": f'<div class="{self._still_id}"></div>'}
        text, page = self.summary()
        return {"text/plain": text, "text/html": f'<div class="{self._still_id}">{page}</div>'}
