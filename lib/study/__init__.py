"""What is to be done: the study's file, the paper's data, where runs lie and what they measured."""

from lib.study.study import CORPORA, CUTS, FACES, SHARED, TRAINING, WHOLE, Study, config_file, load

__all__ = ["CORPORA", "CUTS", "FACES", "SHARED", "TRAINING", "WHOLE", "Study", "config_file", "load"]
