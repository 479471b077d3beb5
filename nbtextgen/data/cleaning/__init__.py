"""Cleaning: the steps (``steps.py``), and how they are applied to rows (``clean.py``)."""
