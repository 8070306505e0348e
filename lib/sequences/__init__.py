"""From faces to sequences of 75 frames, and the parts of a split."""
