"""The Python API: ``TextGenerator``, in parts: its settings, the trained model, and explanations of its outputs."""

from nbtextgen.generator.text_generator import TextGenerator

__all__ = ["TextGenerator"]
