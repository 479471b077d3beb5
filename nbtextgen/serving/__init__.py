"""Exported models at work: tokenizers, NumPy and onnxruntime, nothing else. Never imports torch."""
