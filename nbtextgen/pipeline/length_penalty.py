"""Choose the length penalty of a model's beam search on held-out pairs, at the end of training."""

from __future__ import annotations

from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import LENGTH_PENALTY, DecodingConfig
from nbtextgen.evaluation.metrics import score
from nbtextgen.inference.predictor import Predictor

PENALTIES = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
"""Those that are tried. 0.6 writes too little for most translations (Multi30k: 36.4 BLEU, with 1.0 37.1; package descriptions:
14.6 and 18.9); 1.4 writes too much for the synopses of these (9.2; 17.7 with 1.0)."""
FIRST = PENALTIES.index(LENGTH_PENALTY)
"""The one that is tried first, then its neighbours in the direction that is better, while it is."""
BEAM = 5
MAX_PAIRS = 150
"""Pairs that each of them is tried on, at most."""


def choose_length_penalty(predictor: Predictor, pairs: Pairs) -> float:
    """The length penalty with which the outputs of a beam search have the highest BLEU (Papineni et al. 2002, which punishes
    too short outputs as well as wrong words).

    Sums of log-probabilities prefer short outputs, the more so the less sure the model is (Murray & Chiang 2018), so what corrects
    that differs from model to model.

    Args:
        predictor: a trained model.
        pairs: pairs that it was not trained on.
    """
    references = [predictor.target.normalize(target) for target in pairs.targets]
    scores = dict[int, float]()

    def measured(index: int) -> float:
        if index not in scores:
            config = DecodingConfig(beam=BEAM, length_penalty=PENALTIES[index])
            outputs = [output.text for output in predictor.predict(pairs.sources, config)]
            scores[index] = score("bleu", references, outputs)
        return scores[index]

    best = FIRST
    step = 1 if measured(FIRST + 1) > measured(FIRST) else -1
    while 0 <= best + step < len(PENALTIES) and measured(best + step) > measured(best):
        best += step
    return PENALTIES[best]
