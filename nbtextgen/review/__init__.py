"""Review of generated outputs by a person: the doubtful first, each decision on disk at once, corrections as pairs."""

from __future__ import annotations

from nbtextgen.review.review import Decision, Review
from nbtextgen.review.rows import ReviewRow

__all__ = ["Decision", "Review", "ReviewRow"]
