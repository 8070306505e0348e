"""From predictions to results: accuracy, uncertainty, baselines, human raters."""
