"""Use a trained network outside the study: portable files, and predictions for any video."""
