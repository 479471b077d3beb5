"""The explanation panel: a widget that shows, compares and plays with explanations."""
