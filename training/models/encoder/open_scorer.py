"""Scorers by a text that settings and command lines can hold, such as ``encoder:s3://models/finbert``."""

from __future__ import annotations

from configs.errors import ConfigError, shown
from features.alternative.text.lexicon import LexiconScorer, PolicyScorer
from features.alternative.text.loughran_mcdonald import LoughranMcDonaldScorer
from features.alternative.text.scorer import Scorer
from features.alternative.text.vader import VaderScorer

EMBEDDED: dict[str, type[LexiconScorer | PolicyScorer]] = {"lexicon": LexiconScorer, "policy": PolicyScorer}
WORD_LISTS: dict[str, type[VaderScorer | LoughranMcDonaldScorer]] = {
    "vader": VaderScorer,
    "loughran_mcdonald": LoughranMcDonaldScorer,
}
MODELS = ("encoder", "onnx")


def open_scorer(spec: str, threads: int = 0) -> Scorer:
    """Return a scorer.

    Parameters
    ----------
    spec
        ``lexicon`` or ``policy``; ``vader:FILE`` or ``loughran_mcdonald:FILE``; ``encoder:FOLDER`` or ``onnx:FOLDER``,
        where a folder may be a URI.
    threads
        Threads of one operation of a network; 0 leaves them as they are. TensorFlow takes it before its first operation
        only.

    Raises
    ------
    ConfigError
        There is no such scorer.
    DataError, ModelError
        Its files cannot be read.
    """
    kind, place = _parts(spec)
    if kind in EMBEDDED:
        return EMBEDDED[kind]()
    if kind in WORD_LISTS:
        return WORD_LISTS[kind](place)
    if kind == "onnx":
        from training.models.encoder.onnx_scorer import OnnxScorer

        return OnnxScorer(place, threads=threads)
    from training.models.encoder.scorer import EncoderScorer
    from training.models.fleet.threads import use_threads

    if threads:
        use_threads(threads)
    return EncoderScorer(place)


def scorer_name(spec: str) -> str:
    """Return the name of :func:`open_scorer`'s scorer; files are read and checked, but no network is built."""
    kind, place = _parts(spec)
    if kind in MODELS:
        from training.models.encoder.folder import ONNX, WEIGHTS, read_model_files

        return f"{kind}@{read_model_files(place, ONNX if kind == 'onnx' else WEIGHTS).digest[:12]}"
    return open_scorer(spec).name


def _parts(spec: str) -> tuple[str, str]:
    kind, separator, place = spec.partition(":")
    if kind in EMBEDDED and not separator:
        return kind, ""
    if kind in (*WORD_LISTS, *MODELS) and place:
        return kind, place
    raise ConfigError(
        f"scorer {shown(spec)} does not exist; expected {', '.join(EMBEDDED)}, "
        f"{', '.join(f'{one}:FILE' for one in WORD_LISTS)} or {', '.join(f'{one}:FOLDER' for one in MODELS)}."
    )
