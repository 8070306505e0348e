"""What is to be done: the study's file, the paper's data, where runs lie and what they measured."""

from lib.study.study import FACES, SHARED, TRAINING, WHOLE, Study, config_file, load

__all__ = ["FACES", "SHARED", "TRAINING", "WHOLE", "Study", "config_file", "load"]
