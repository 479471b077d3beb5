"""Errors that users see: one sentence that names the thing, the place and the way out, in the words of the user's own line."""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Callable, Iterable

from nbtextgen.core.escaping import pictured_lines

_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?:=([^\s,;()]*[^\s,;().:]))?")
_MAGIC = re.compile(r"%%?textgen_\w+(?: +[^\s,;()]*[^\s,;().:])*")
"""The line of a magic in a message, up to a comma, a bracket or the end of the sentence."""


def python_words(text: str) -> str:
    """Name options as keywords: ``--beam=1`` and ``--hidden-size`` become ``beam=1`` and ``hidden_size``."""

    def keyword(match: re.Match[str]) -> str:
        name, value = match[1].replace("-", "_"), match[2]
        if value is None:
            return name
        plain = value.isupper() or re.fullmatch(r"-?[\d.]+", value) or value in ("True", "False", "None")
        return f"{name}={value if plain else repr(value)}"

    return _around_lines(text, keyword)


def magic_words(text: str) -> str:
    """Name options as a magic's line does: ``--beam=1`` becomes ``--beam 1``."""
    return _OPTION.sub(lambda match: match[0].replace("=", " ", 1), text)


def form_words(text: str) -> str:
    """Name options as the labels of a panel do: ``--hidden-size`` becomes ``hidden size``."""
    return _around_lines(text, lambda match: match[1].replace("-", " ") + (f" {match[2]}" if match[2] else ""))


def options_named(text: str) -> list[str]:
    """Return the options that a message names, as keywords."""
    return [match[1].replace("-", "_") for match in _OPTION.finditer(text)]


def _around_lines(text: str, word: Callable[[re.Match[str]], str]) -> str:
    """Name the options of a message; the lines of magics in it are to be typed, and keep theirs."""
    words, end = list[str](), 0
    for line in _MAGIC.finditer(text):
        words += [_OPTION.sub(word, text[end : line.start()]), magic_words(line[0])]
        end = line.end()
    return "".join([*words, _OPTION.sub(word, text[end:])])


class NbTextGenError(Exception):
    """Base class of all errors below.

    A message names options as ``--hidden-size`` or ``--beam=1``. ``str`` gives it for Python, ``in_magic`` for
    the line of a magic, ``in_form`` for a panel.
    """

    @property
    def message(self) -> str:
        """The message with options as in the code, and control characters of the data pictured."""
        return pictured_lines(super().__str__())

    def __str__(self) -> str:
        return python_words(self.message)

    @property
    def in_magic(self) -> str:
        """The message in the words of a magic's line."""
        return magic_words(self.message)

    @property
    def in_form(self) -> str:
        """The message in the words of a panel's labels."""
        return form_words(self.message)

    def _render_traceback_(self) -> list[str]:
        """In IPython: the lines of the user's own code that led here, and the message."""
        hidden = (__name__.partition(".")[0], "IPython", "contextlib")
        places = traceback.StackSummary.extract(
            (frame, line)
            for frame, line in traceback.walk_tb(self.__traceback__)
            if frame.f_globals.get("__name__", "").partition(".")[0] not in hidden
        )
        return [*(line.rstrip() for line in places.format()), f"{type(self).__name__}: {self}"]


class DataError(NbTextGenError, ValueError):
    """Data that cannot be read as pairs or cannot be learned from."""


class OptionError(NbTextGenError, ValueError):
    """An option is unknown, has a wrong type or value, or contradicts another option."""


class UnknownOptionError(OptionError):
    """There is no option of this ``name`` among those that are ``known``."""

    def __init__(self, message: str, name: str = "", known: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.name, self.known = name, tuple(known)


class ModelFileError(NbTextGenError, ValueError):
    """A saved model or run is missing, damaged, or in a format that this version cannot read."""


class NotTrainedError(NbTextGenError, RuntimeError):
    """The model is not trained yet."""


class MemoryShortError(NbTextGenError, MemoryError):
    """The memory of the machine or of the GPU is too small."""


_NO_MEMORY = (
    "bad_alloc",
    "allocate memory",  # "Cannot allocate memory" of the system, "can't allocate memory" of PyTorch
    "(os error 12)",
    "unable to mmap",
    "failed to map segment",
    "could not create a",  # oneDNN
    "launch worker thread",  # Arrow
)
"""What other libraries say in exceptions of their own if there is no memory left."""


def is_memory_short(error: BaseException) -> bool:
    """Return ``True`` if an exception of any library says that the machine has no memory left."""
    return isinstance(error, MemoryError) or any(message in str(error) for message in _NO_MEMORY)


class LaunchError(NbTextGenError, RuntimeError):
    """The processes of a distributed training could not be started, or ended with an error."""


class MissingPackageError(NbTextGenError, ImportError):
    """A feature needs a package that is not installed."""


_NAMES_ELSEWHERE = {
    "additive": "bahdanau concat mlp",
    "bpe": "sentencepiece subword subwords wordpiece",
    "general": "bilinear luong multiplicative",
    "accumulate": "accum_count accumulation_steps accumulate_grad_batches gradient_accumulation_steps",
    "attention": "attention_type global_attention",
    "batch_size": "batch bs train_batch_size per_device_train_batch_size",
    "beam": "beam_size beam_width beams num_beams k",
    "bidirectional": "brnn bidir",
    "cell": "arch architecture model_type rnn rnn_type",
    "clip": "clip_norm clip_grad_norm clipnorm grad_clip gradient_clip gradient_clip_val max_grad_norm",
    "copy": "copy_attn pointer",
    "decoder_layers": "dec_layers",
    "cuda": "gpu",
    "device": "cuda gpu gpu_ranks gpus use_cuda use_gpu",
    "dropout": "dropout_rate rnn_dropout",
    "ema_decay": "average_decay",
    "embedding_size": "d_embedding emb_dim emb_size embed_dim embedding_dim embeddings_dim word_vec_size",
    "encoder_layers": "enc_layers layers n_layers num_layers rnn_layers",
    "epochs": "max_epochs n_epochs nb_epochs num_epochs num_train_epochs",
    "hidden_size": "d_model dim hidden hidden_dim hidden_units n_hidden num_hidden rnn_size units",
    "learning_rate": "eta lr",
    "max_length": "max_gen_length max_len max_new_tokens max_output_length",
    "max_minutes": "max_time minutes time_limit timeout",
    "max_steps": "iterations max_iter max_updates n_iter steps train_steps",
    "minimum_frequency": "min_count min_df min_freq min_frequency",
    "n_best": "nbest num_return_sequences",
    "no_repeat_ngram": "block_ngram_repeat no_repeat_ngram_size",
    "optimizer": "optim solver",
    "patience": "early_stopping early_stopping_patience n_iter_no_change",
    "schedule": "decay_method lr_scheduler lr_scheduler_type scheduler",
    "seed": "random_seed random_state",
    "seeds": "n_seeds num_seeds",
    "source_lowercase": "lower lowercase",
    "teacher_forcing": "teacher_forcing_ratio",
    "threads": "n_jobs n_threads num_threads num_workers",
    "tokens": "tokenization tokenizer",
    "valid": "dev dev_data eval_data eval_dataset eval_set val val_data validation validation_data valid_data",
    "valid_fraction": "test_size val_split valid_split validation_fraction validation_split",
    "validate_every": "eval_interval eval_steps valid_steps val_check_interval",
    "vocabulary_size": "max_features vocab vocab_size",
    "warmup": "warmup_ratio warmup_steps",
}
"""What our settings, and some of their choices, are called in papers, OpenNMT-py, JoeyNMT, fairseq, Hugging Face, Keras, Lightning and
scikit-learn."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the choice closest to ``word``, or an empty text if none is close.

    A setting that has another name in other tools is close to it, however it is spelled.
    """
    folded = {_folded(choice): choice for choice in choices}
    named = [name for name, others in _NAMES_ELSEWHERE.items() if name in folded and _folded(word) in others.split()]
    matches = named[:1] or difflib.get_close_matches(_folded(word), list(folded), n=1, cutoff=0.55)
    return f" Did you mean '{folded[matches[0]]}'?" if matches else ""


def our_name(word: str) -> str:
    """The setting that other tools call ``word``, or ``word`` itself."""
    return next((name for name, others in _NAMES_ELSEWHERE.items() if _folded(word) in others.split()), word)


def _folded(name: str) -> str:
    return name.casefold().lstrip("-").replace("-", "_")  # dashes that all share make nothing alike
