"""The rules by which settings that are left open are chosen, in words; the code is ``nbtextgen/pipeline/defaults.py``.

A test compares the names with the options that have no default.
"""

from __future__ import annotations

RULES = {
    # Data
    "augment": "`concat:0.5` for 200 to 1,500 pairs of characters or symbols, otherwise none",
    "window": "four times `context`",
    # Tokens
    "tokens": "for each side by itself: symbols if the texts are short codes between spaces (phones), characters if they have 48 "
    "characters or fewer on average, otherwise BPE; one side of BPE makes a side of characters BPE, too, unless its words hardly "
    "recur (numbers, codes); sources of up to 128 characters become characters if that is so for their targets; to continue a text, characters "
    "if it has less than two million of them, otherwise BPE",
    "source_tokens": "the value of `tokens`",
    "target_tokens": "the value of `tokens`",
    "source_normalization": "`nfd` for Korean read character by character, otherwise `nfc`",
    "target_normalization": "`nfc`",
    "shared_vocabulary": "on if both sides are BPE and share more than 60 % of their characters",
    "vocabulary_size": "for words and BPE 1,000; 4,000 from 5,000 pairs on; 8,000 from 100,000 pairs on; otherwise all",
    "source_limit": "no limit; generation reads at most 2,000 tokens of a source",
    # Network
    "embedding_size": "see [below](#what-the-rules-choose)",
    "hidden_size": "see [below](#what-the-rules-choose); with `max_minutes`, what the machine can train in that time",
    "dropout": "0.05 + 0.02 for every epoch that is chosen for the data, also if `epochs` is given; at most 0.3 below 10,000 pairs, 0.1 for characters and 0.25 for words above",
    "embedding_dropout": "the value of `dropout`",
    "output_dropout": "the value of `dropout`",
    "copy": "on if both sides are words or BPE, there is attention, and more than 40 % of the target words are in their source",
    # Training
    "epochs": "see [below](#what-the-rules-choose), at most 200; no limit with `max_minutes`",
    "batch_tokens": "8,192, in proportion more from a batch size of 128 on",
    "batch_size": "16 below 500 pairs; 32 below 2,000; 64 for characters, symbols and more than 100,000 pairs; otherwise 48",
    "learning_rate": "0.006 for fewer than 3,000 pairs of characters; otherwise lower for wider networks and longer training, "
    "see [below](#what-the-rules-choose)",
    "schedule": "`stable-decay`",
    "threads": "timed on some updates; one thread for small networks",
    "select_by": "`accuracy`: the share of target tokens that are predicted right; for characters or symbols and targets "
    "of at most 30 tokens on average `sequence-accuracy`: the share of targets of which all tokens are",
    "patience": "as many validations as there are in a quarter of the training, at least three; with `stable-decay`, a plateau in the "
    "first half starts the decay at once instead",
    "validate_every": "once an epoch, about ten times per run if epochs are long; with `max_minutes` it takes at most a twentieth of the time",
    "average": "`ema`",
    # Explanation
    "prefix": "on for models that continue a text, otherwise off",
    # Decoding
    "length_penalty": "for outputs of words or BPE, the one from 0.4 to 1.4 with the highest BLEU of a beam of 5 on up to 150 held-out pairs, chosen "
    "at the end of a training that is long enough; otherwise 1",
    "coverage_penalty": "chosen with the length penalty: 0.2, with a length penalty of at most 0.8, if BLEU is higher with it, otherwise 0",
    "max_length": "a linear function of the source length, fitted to the training pairs",
    "seed": "another one at every call",
}
"""Name of a setting to the rule, as Markdown."""
NO_RULE = (
    "clean",
    "synonyms",
    "context",
    "store",
    "source_embeddings",
    "target_embeddings",
    "max_minutes",
    "max_steps",
    "rendezvous",
    "target",
    "contrast",
)
"""Settings that stay off unless they are given."""
