"""The study's file and its trainings, what the paper states, the runs and their results."""

from lib.study.study import FACES, SHARED, TRAINING, WHOLE, Study, config_file, load

__all__ = ["FACES", "SHARED", "TRAINING", "WHOLE", "Study", "config_file", "load"]
