"""The Clean panel: one list of findings and steps with check boxes, what would be kept, and a button that cleans."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as widgets

from nbtextgen.core.cancellation import CancellationToken, run_job
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.escaping import visible
from nbtextgen.core.wording import counted, percent, sentence_case, share
from nbtextgen.data.cleaning.clean import SAFE_STEPS, STEPS, StepResult
from nbtextgen.data.pairs import Cleaned, Pairs, RawPairs
from nbtextgen.data.report.findings import Finding
from nbtextgen.data.report.views import step_examples
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import MagicLine, Values
from nbtextgen.notebook.panels.widgets import CodeView, Progress, row, status
from nbtextgen.notebook.static import StaticForm

if TYPE_CHECKING:
    from nbtextgen.data.report.report import DataReport

ALWAYS = "empty"
"""The step that is done whether it is ticked or not."""
LIST_HEIGHT = "420px"
COLOURS = {"high": "#c62828", "medium": "#b26a00", "low": "#5f6b7a"}


class CleaningPanel(StaticForm, widgets.VBox):
    """What the report found, with a check box for each step that mends it, and what would be kept.

    Attributes:
        report: what is wrong with the data.
        boxes: the check boxes by step.
        cleaned: the result of the steps that are ticked; ``None`` if they are refused, or not applied yet.
    """

    def __init__(
        self,
        rows: RawPairs,
        valid: Pairs | None,
        tokens: Values,
        keep: Callable[[Cleaned], str],
        line: Callable[[str], MagicLine],
    ) -> None:
        """Look at the rows.

        Args:
            rows: the data.
            valid: held-out pairs, for the step ``overlap``.
            tokens: settings of the tokenizers, for the report.
            keep: puts the result into a variable; returns what to do with it.
            line: the magic that applies the steps.
        """
        self._rows, self._valid, self._keep, self._line = rows, valid, keep, line
        self.report: DataReport = rows.report(valid=valid, **tokens)
        self.cleaned: Cleaned | None = None
        self._worker = BackgroundWorker("nbtextgen cleaning", on_error=self._show_error)
        self.progress = Progress(self._stop)
        self.boxes: dict[str, widgets.Checkbox] = {}
        self._effects: dict[str, widgets.HTML] = {}
        self.kept, self.message, self.code = widgets.HTML(), widgets.HTML(), CodeView()
        name = line("").options["into"]
        self.apply = widgets.Button(description=f"Clean into {name}", button_style="primary", layout={"width": "auto"})
        self.apply.on_click(lambda _: self._clean())
        findings = [self._finding_row(finding) for finding in self.report.findings]
        findings = findings or [widgets.HTML("<i>Nothing was found that should be cleaned.</i>")]
        title = f"<b>{counted(len(rows), 'row')}</b>, {counted(len(self.report.findings), 'finding')}"
        scrolled = widgets.Layout(
            max_height=LIST_HEIGHT, overflow="auto", border="1px solid var(--jp-border-color2, #ccc)"
        )
        parts = [
            widgets.HTML(f"<div style='font-size:15px'>{title}</div>"),
            row(self.kept, self.apply, self.progress),
            self.message,
            widgets.VBox(findings, layout=scrolled),
            self._other_steps(),
            self.code,
            self.hidden_style(),
        ]
        super().__init__(parts)
        for box in self.boxes.values():
            box.observe(lambda _: self._changed(), "value")
        self.code.show({"Magic": line(",".join(self.steps) or ALWAYS).magic()})
        self._apply(CancellationToken())

    @property
    def steps(self) -> list[str]:
        """The steps that are ticked, without the one that is always done."""
        return [step for step, box in self.boxes.items() if box.value and step != ALWAYS]

    def _finding_row(self, finding: Finding) -> widgets.HBox:
        """A finding, with the check box of the step that mends it."""
        step = finding.step
        new = step is not None and step not in self.boxes
        left = (
            self._box(step, checked=step in SAFE_STEPS) if step is not None and new else widgets.HTML(_cleaned_by(step))
        )
        left.layout.width = "11em"
        colour = COLOURS[finding.severity]
        examples = "".join(
            f"<div>{visible(place)}: <bdi>{visible(text)}</bdi></div>" for place, text in finding.examples
        )
        title = sentence_case(finding.name.replace("-", " "))
        words = (
            f"<div style='line-height:1.4;border-left:4px solid {colour};padding-left:8px'><b>{visible(title)}</b> "
            f"({finding.severity}): {counted(finding.count, 'row')} ({percent(finding.share)}); {visible(finding.what)}"
            f"<details><summary>Examples</summary>{examples}</details></div>"
        )
        return self._row(left, words, step if new else None)

    def _other_steps(self) -> widgets.VBox:
        """The steps that no finding asks for, shown on request."""
        names = {step.partition(":")[0] for step in self.boxes}
        useless = {"language", ALWAYS, *(() if self._valid is not None else ("overlap",))}
        others = [
            self._row(self._box(step), visible(STEPS[step]), step) for step in STEPS if step not in names | useless
        ]
        folded = widgets.VBox(others, layout={"display": "none"})
        toggle = widgets.ToggleButton(False, description="Other steps", layout={"width": "auto"})

        def show(_: object) -> None:
            folded.layout.display = "" if toggle.value else "none"

        toggle.observe(show, "value")
        return widgets.VBox([widgets.HBox([toggle]), folded])

    def _box(self, step: str, *, checked: bool = False) -> widgets.Checkbox:
        """The check box of a step."""
        tooltip = STEPS[step.partition(":")[0]]
        box = widgets.Checkbox(checked, description=step, indent=False, tooltip=tooltip, layout={"width": "11em"})
        if step == ALWAYS:
            box.value = box.disabled = True
        self.boxes[step] = box
        return box

    def _row(self, left: widgets.Widget, words: str, step: str | None) -> widgets.HBox:
        """A check box beside what it is for, and what its step does."""
        effect = widgets.HTML()
        if step is not None:
            self._effects[step.partition(":")[0]] = effect
        right = widgets.VBox([widgets.HTML(words), effect], layout={"flex": "1 1 0", "min_width": "0"})
        return widgets.HBox([left, right], layout={"min_height": "min-content", "flex": "0 0 auto"})

    def _changed(self) -> None:
        """Apply the steps that are ticked now, in the background."""
        self.cleaned, self.message.value = None, ""
        self.code.show({"Magic": self._line(",".join(self.steps) or ALWAYS).magic()})
        self._worker.replace(self._apply)

    def _apply(self, token: CancellationToken) -> None:
        """Apply the steps that are ticked, and show what they do."""
        found, late = list[Cleaned](), self.progress.late("Applying the steps \u2026")
        try:
            run_job(
                lambda _: found.append(self._rows.clean(self.steps, valid=self._valid)), CancellationToken(token, late)
            )
            text, alert = _kept(found[0]), False
        except NbTextGenError as error:
            text, alert = error.in_form, True
        finally:
            self.progress.state = {}
        token.raise_if_cancelled()
        self.cleaned = found[0] if found else None
        self.kept.value, self.apply.disabled = status(text, alert=alert), alert
        results = {result.name: result for each in found for result in each.results}
        for name, effect in self._effects.items():
            effect.value = _effect(results.get(name))
        self.refresh_still()

    def _clean(self) -> None:
        """Put the result into the variable, after the steps that are being applied."""
        self._worker.submit(self._keep_result)

    def _keep_result(self, token: CancellationToken) -> None:
        if self.cleaned is None:  # it was cancelled
            self._apply(token)
        if self.cleaned is not None:
            with self.progress.shown(str(self.apply.description).replace("Clean", "Cleaning", 1) + " \u2026"):
                self.message.value = status(self._keep(self.cleaned))
        self.refresh_still()

    def _stop(self) -> None:
        """End what is computed; what is ticked stays, and the button counts again."""
        self._worker.cancel()
        self.kept.value = status("Cancelled: what would be kept was not counted.")

    def cancel(self) -> None:
        """End what is computed."""
        self._worker.cancel()

    def _show_error(self, error: BaseException) -> None:
        self.message.value = status(describe(error), alert=True)
        self.refresh_still()

    def summary(self) -> tuple[str, str]:
        """Return the panel as text and as static HTML."""
        text = f"Clean panel: {self.code.pieces[0]['code']}"
        account = "" if self.cleaned is None else self.cleaned.html()
        return text, self.report.html() + account + self.message.value


def _cleaned_by(step: str | None) -> str:
    words = "no step for it" if step is None else f"{visible(step)}, see above"
    return f"<span style='opacity:.8;padding:0 4px'>{words}</span>"


def _kept(cleaned: Cleaned) -> str:
    """What would be kept and lost, in a sentence."""
    total = len(cleaned.pairs) + len(cleaned.dropped)
    lost = [f"{result.name} {result.dropped:,}" for result in cleaned.results if result.dropped]
    unreadable = len(cleaned.dropped) - sum(result.dropped for result in cleaned.results)
    lost += [f"unusable rows {unreadable:,}"] if unreadable else []
    text = f"{share(len(cleaned.pairs), total, 'row')} kept"
    return (
        f"{text}; {len(cleaned.dropped):,} will be lost ({', '.join(lost)})" if lost else f"{text}; none will be lost"
    )


def _effect(result: StepResult | None) -> str:
    """What a step does now, as HTML."""
    if result is None:
        return ""
    effects = [f"drops {counted(result.dropped, 'row')}"] if result.dropped else []
    effects += [f"rewrites {counted(result.changed, 'text')}"] if result.changed else []
    text = ", ".join(effects) or "changes nothing"
    return f"<div style='line-height:1.4;padding-left:12px'>{text}{step_examples(result)}</div>"
