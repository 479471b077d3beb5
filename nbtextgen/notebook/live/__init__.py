"""A training in the notebook: its thread, its record, the live panel and the static view."""
