"""Calls that a type checker accepts, and calls marked ``# error`` that it refuses; see ``tests/test_types.py``."""

from pathlib import Path

from nbtextgen import OnnxGenerator, TextGenerator

model = TextGenerator(hidden_size=64, cell="gru", dropout=None, store=Path("tokens"))
TextGenerator(hiden_size=64)  # error
TextGenerator(cell="gro")  # error
TextGenerator(epochs="ten")  # error
model.set_params(label_smoothing=0.0)
model.set_params(labelsmoothing=0.0)  # error

one: str = model.generate("text", beam=4).text
several: list[str] = [generation.text for generation in model.generate(["text"], sample=True, forbid=["a"])]
model.generate("text", beams=4)  # error
model.generate(["text"], top_p="high")  # error
list(model.stream("text", temperature=0.5))
list(model.stream("text", temprature=0.5))  # error
model.continue_text("text", 50, seed=1)
model.continue_text("text", 50, seeds=1)  # error
model.evaluate("pairs.tsv", metrics=["bleu"], beam=2)
model.evaluate("pairs.tsv", metrics=["bleu"], n_beam=2)  # error
model.errors("pairs.tsv", limit=5, length_penalty=1.0)
model.errors("pairs.tsv", limit=5, lengthpenalty=1.0)  # error

model.explain("text", method=("shap", "attention"), unit="word", spans=["a text", "of spans"])
model.explain("text", method="shap", units="word")  # error
model.explain("text", unit="sentence")  # error
model.explain_data("pairs.tsv", limit=10, budget=500)
model.explain_data("pairs.tsv", limit=10, budgets=500)  # error

OnnxGenerator.load("folder").generate("text", beam=2)
OnnxGenerator.load("folder").generate("text", baem=2)  # error
