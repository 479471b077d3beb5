"""A model that lives in a saved notebook: its page in a frame of its own, which needs no kernel, above a static form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nbtextgen.core.errors import OptionError
from nbtextgen.core.escaping import escaped, visible
from nbtextgen.core.files import write_page
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.export.page.document import page
from nbtextgen.export.page.facts import facts, validation_score
from nbtextgen.export.page.packing import parameter_count
from nbtextgen.inference.generation import Generation, table

if TYPE_CHECKING:
    from nbtextgen.inference.predictor import Predictor
    from nbtextgen.pipeline.defaults import Plan

MAX_MEGABYTES = 20
"""Size of one live page. GitHub refuses files of 100 MB, and a notebook is written whole at every save."""
ENGINE_BYTES = 130_000
"""Of a page without its weights."""
NOT_OFFERED = ("coverage_penalty", "allow", "forbid", "glossary", "must_include", "carry_over")
"""Settings of decoding that a page has no control for."""
WITHOUT_PAGE = (
    "Here this output only shows what was generated. In a trusted notebook, and in a page exported from it, it generates "
    "while you type, without a kernel."
)
HEIGHT = "38rem"
_STYLE = f"""<style>
.ntg-alive-frame {{ height: {HEIGHT}; min-height: 8rem; max-width: 60rem; overflow: hidden; resize: vertical; border: 1px solid rgba(128, 128, 128, 0.4); border-radius: 4px; }}
.ntg-alive-frame iframe {{ display: block; width: 100%; height: 100%; border: 0; }}
.ntg-alive-frame iframe {{ color-scheme: light; }}
[data-jp-theme-light="false"] .ntg-alive-frame iframe, .vscode-dark .ntg-alive-frame iframe {{ filter: invert(0.93) hue-rotate(180deg); }}
@media screen {{ .ntg-alive:has(iframe[srcdoc]) > .ntg-alive-still {{ display: none; }} }}
@media print {{ .ntg-alive-frame {{ display: none; }} }}
</style>"""
"""In a dark notebook the frame is inverted: its own media queries follow the system and not the notebook. What stands below it is shown
where there is no frame, and in print."""


class WritingModel(Protocol):
    """What a live page needs of a trained model; attributes as in ``TrainedModel``."""

    background: tuple[str, ...]

    @property
    def predictor(self) -> Predictor: ...
    @property
    def plan(self) -> Plan: ...


@dataclass(frozen=True)
class LivePage:
    """An output of a notebook that generates and explains without a kernel.

    It shows itself as one piece of HTML: a sandboxed frame that holds weights and engine, so that it and the notebook cannot
    touch each other, and a static form that is shown where frames are not allowed.

    Attributes:
        name: what the model is called.
        text: what it begins with.
        page: the whole page, as ``export("html", ...)`` writes it.
        generation: what the model generated, for the static form; ``None`` if another output shows it.
    """

    name: str
    text: str
    page: str
    generation: Generation | None = None

    @property
    def megabytes(self) -> float:
        """What it adds to a notebook, in millions of bytes."""
        return len(self._frame().encode()) / 1e6

    def save(self, path: str | Path) -> Path:
        """Write the page to a file of its own, and return the path."""
        return write_page(Path(path), self.page, "The page")

    def html(self) -> str:
        """Return the frame, and under it the static form."""
        still = "" if self.generation is None else table(self.generation.candidates or (self.generation,))
        return (
            f'<div class="ntg-alive">{_STYLE}<div class="ntg-alive-frame">{self._frame()}</div>'
            f'<div class="ntg-alive-still">{still}<div style="opacity:.75">{visible(WITHOUT_PAGE)}</div></div></div>'
        )

    def _frame(self) -> str:
        # Single quotes around it: the page is full of double ones, each of which would take six characters.
        document = self.page.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
        title = escaped(f"{self.name}: generate while you type")
        return f'<iframe title="{title}" sandbox="allow-scripts" loading="lazy" srcdoc=\'{document}\'></iframe>'

    def __repr__(self) -> str:
        shown = "" if self.generation is None else f"{self.generation!r}\n"
        return f"{shown}LivePage of {self.name}, {self.megabytes:.1f} MB: it generates in a notebook, without a kernel."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}


def live_page(
    model: WritingModel, name: str, text: str, bits: int, config: DecodingConfig, generation: Generation | None
) -> LivePage:
    """Return the page of a model for a notebook.

    Args:
        model: a trained model.
        name: what it is called.
        text: what the page begins with.
        bits: of each weight, 16 or 8.
        config: the decoding that the page begins with.
        generation: what the model generated for the text, for the static form.

    Raises:
        OptionError: if it would be too large, or begin with settings that a page has no control for.
        ModelFileError: if the model cannot become a page.
    """
    check_live(model.predictor, name, bits, config)
    description: dict[str, object] = {
        "name": name,
        "example": text,
        "facts": facts(model.predictor, model.plan, bits, validation_score(getattr(model, "history", ()))),
        "embedded": True,
        # A model that continues a text samples, unless settings are given: its likeliest text repeats itself.
        "decoding": {} if model.plan.data.context is not None and config == DecodingConfig() else _start(config),
    }
    before = "<p>This part of the notebook computes with JavaScript, which does not run here.</p>"
    return LivePage(name, text, page(description, model.predictor, model.plan, bits, before), generation)


def check_live(predictor: Predictor, name: str, bits: int, config: DecodingConfig) -> None:
    """Raise ``OptionError`` for a page that would be too large, or settings that it has no control for."""
    for option in NOT_OFFERED:
        if getattr(config, option) != getattr(DecodingConfig(), option):
            raise OptionError(f"--{option.replace('_', '-')} does not apply to --live, whose page has no such control.")
    size = _megabytes(predictor, bits)
    if size > MAX_MEGABYTES:
        smaller = _megabytes(predictor, 8)
        eight = f"use --bits=8 ({smaller:,.0f} MB), or " if smaller <= MAX_MEGABYTES else ""
        raise OptionError(
            f"--live would add {size:,.0f} MB to the notebook, more than the {MAX_MEGABYTES} MB that it may; {eight}"
            f"write the page to a file of its own: %textgen_save {name} {name}.html"
        )


def _megabytes(predictor: Predictor, bits: int) -> float:
    """About the size of a page: weights in base64, and the engine."""
    return (parameter_count(predictor.networks) * bits / 8 * 4 / 3 + ENGINE_BYTES) / 1e6


def _start(config: DecodingConfig) -> dict[str, object]:
    """Return the settings that a page begins with; several candidates of a greedy search are those of a beam."""
    chosen: dict[str, object] = {
        name: value for name, value in asdict(config).items() if name not in (*NOT_OFFERED, "batch_size", "precision")
    }
    return chosen | {"beam": max(config.beam, config.n_best)}
