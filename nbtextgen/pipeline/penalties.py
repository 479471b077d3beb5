"""Choose the length penalty and the coverage penalty of a model's beam search on held-out pairs, at the end of training."""

from __future__ import annotations

from functools import cache

from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import LENGTH_PENALTY, DecodingConfig
from nbtextgen.evaluation.metrics import score
from nbtextgen.inference.predictor import Predictor

LENGTH_PENALTIES = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
"""Those that are tried. 0.6 alone writes too little for most translations (Multi30k: 36.4 BLEU, with 1.0 37.1; package
descriptions: 14.6 and 18.9); 1.4 writes too much for the synopses of these (9.2; 17.7 with 1.0)."""
COVERAGE_PENALTY = 0.2
"""That of Wu et al., the only one that is tried, with length penalties below 1. Translations gain by it (package descriptions: 20.4 BLEU
with a length penalty of 0.8, and 18.1 with 1.0 and no coverage penalty), since no part of the source is left out; with 1.0, too much is
written (17.6). A summary leaves most of its source out (synopses: 4.4 and 19.1)."""
BEAM = 5
MAX_PAIRS = 150
"""Pairs that each of them is tried on, at most."""
SEARCHES = 4
"""Searches that the choice makes, as a rule."""


def choose_penalties(predictor: Predictor, pairs: Pairs) -> tuple[float, float]:
    """The length penalty and the coverage penalty with which the outputs of a beam search have the highest BLEU.

    Sums of log-probabilities prefer short outputs, the more so the less sure the model is (Murray & Chiang 2018). Dividing by the
    length corrects that, and so does a penalty for source tokens that were hardly attended to (Wu et al. 2016, sec. 7) where all of
    the source is to be written, so both differ from model to model. BLEU (Papineni et al. 2002) punishes too short outputs as well
    as wrong words. After the choice whether there is a coverage penalty, the length penalty is changed as long as BLEU rises.

    Args:
        predictor: a trained model.
        pairs: pairs that it was not trained on.
    """
    references = [predictor.target.normalize(target) for target in pairs.targets]

    @cache
    def measured(length: int, coverage: float) -> float:
        config = DecodingConfig(beam=BEAM).with_penalties(LENGTH_PENALTIES[length], coverage)
        return score("bleu", references, [output.text for output in predictor.predict(pairs.sources, config)])

    best, coverage, step = LENGTH_PENALTIES.index(LENGTH_PENALTY), 0.0, -1
    has_attention = predictor.networks[0].config.attention != "none"
    if has_attention and measured(best - 1, COVERAGE_PENALTY) > measured(best, 0.0):
        best, coverage = best - 1, COVERAGE_PENALTY
    elif measured(best + 1, 0.0) > measured(best, 0.0):
        step = 1
    while 0 <= best + step < len(LENGTH_PENALTIES) and measured(best + step, coverage) > measured(best, coverage):
        best += step
    return LENGTH_PENALTIES[best], coverage
