"""From predictions to numbers: accuracy, uncertainty, baselines, human raters."""
