"""The corpora that a study can name."""

from __future__ import annotations

from lib.corpora import cremad, ravdess
from lib.corpora.corpus import Corpus

CORPORA: dict[str, Corpus] = {corpus.name: corpus for corpus in (cremad.CORPUS, ravdess.CORPUS)}
