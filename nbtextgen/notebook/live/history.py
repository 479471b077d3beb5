"""How a model was trained, as a value that shows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtextgen.core.errors import NotTrainedError
from nbtextgen.notebook.live import static_view
from nbtextgen.notebook.live.record import Record, record_of

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator


class History:
    """The record of a training that is over: curves, figures and samples."""

    def __init__(self, record: Record) -> None:
        self.record = record

    @classmethod
    def of(cls, name: str, model: TextGenerator) -> History:
        """The history of a model.

        Raises:
            NotTrainedError: for a model that was loaded, which has none.
        """
        if not model.history:
            raise NotTrainedError(f"{name} has no history: it was loaded, or is not trained yet.")
        return cls(record_of(name, model.history))

    def __repr__(self) -> str:
        return static_view.as_text(self.record)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return static_view.bundle(self.record)
