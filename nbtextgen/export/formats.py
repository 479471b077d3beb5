"""Export a trained model in one of several formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.files import checked_path
from nbtextgen.model.memory import memory_errors

if TYPE_CHECKING:
    from nbtextgen.export.page.document import PageOptions
    from nbtextgen.inference.predictor import Predictor
    from nbtextgen.pipeline.defaults import Plan

FORMATS = ("onnx", "html")


class ExportableModel(Protocol):
    """What an export needs of a trained model; attributes as in ``TrainedModel``."""

    background: tuple[str, ...]

    @property
    def predictor(self) -> Predictor: ...
    @property
    def plan(self) -> Plan: ...


@memory_errors("There is not enough memory to export the model; close other notebooks or programs.")
def export_model(format: str, path: str | Path, model: ExportableModel, page: PageOptions) -> Path:
    """Export a model; see ``TrainedModel.export``."""
    path = checked_path(path)
    if format == "html":
        from nbtextgen.export.page.document import export_page

        return export_page(path, model.predictor, model.plan, model.background, getattr(model, "history", ()), page)
    if format not in FORMATS:
        raise OptionError(f"--format must be onnx or html (got {format!r}).{nearest(str(format), FORMATS)}")
    if page:
        raise OptionError(f"--{next(iter(page))} applies to pages only; use --format=html.")
    from nbtextgen.export.folder import export

    return export(format, path, model.predictor, model.plan)
