"""``MinimalEdits`` as text and as HTML."""

from __future__ import annotations

from nbtextgen.core.escaping import CELL, visible
from nbtextgen.explanation.counterfactual import Pieces
from nbtextgen.explanation.minimal_edits import MinimalEdit, MinimalEdits

MARKS = {"same": "span", "gone": "del", "new": "ins"}


def minimal_text(edits: MinimalEdits) -> str:
    """The sentences, and what the searches cost."""
    head = f"Smallest edits for {edits.part!r} in {edits.text!r} ({edits.evaluations:,} changed inputs tried)"
    return "\n".join([head, *(f"  {sentence}" for sentence in edits.sentences()), f"  {proof(edits)}"])


def proof(edits: MinimalEdits) -> str:
    """Which of the edits are certainly the smallest."""
    names = {"left out": edits.removal, "replaced": edits.replacement, "sufficient": edits.sufficient}
    proved = [name for name, edit in names.items() if edit is not None and edit.proved]
    open_ = [name for name, edit in names.items() if edit is not None and not edit.proved]
    sentences = list[str]()
    if proved:
        sentences.append(f"No smaller set exists among what was tried: {', '.join(proved)}.")
    if open_:
        sentences.append(f"Not every smaller set could be tried: {', '.join(open_)}.")
    return " ".join(sentences)


def minimal_html(edits: MinimalEdits) -> str:
    """The sentences, and each changed input with its output, in which changes are marked."""
    sentences = "".join(f"<div><strong>{visible(sentence)}</strong></div>" for sentence in edits.sentences())
    rows = [("left out", edits.removal), ("replaced", edits.replacement), ("sufficient", edits.sufficient)]
    body = "".join(_row(name, edit) for name, edit in rows if edit is not None)
    return (
        f"<div style='line-height:1.7'>{sentences}<table><thead><tr><th></th><th style='{CELL};text-align:left'>input</th>"
        f"<th style='{CELL};text-align:left'>output</th></tr></thead><tbody>{body}</tbody></table>"
        f"<small>{visible(proof(edits))}</small></div>"
    )


def _row(name: str, edit: MinimalEdit) -> str:
    cell = f"<td style='{CELL};text-align:left;white-space:pre-wrap'>"
    return (
        f"<tr><th style='{CELL};text-align:left'>{name}</th>{cell}<bdi>{visible(edit.change.source)}</bdi></td>"
        f"{cell}<bdi>{_diff(edit.change.after)}</bdi></td></tr>"
    )


def _diff(pieces: Pieces) -> str:
    return "".join(f"<{MARKS[kind]}>{visible(text)}</{MARKS[kind]}>" for kind, text in pieces)
