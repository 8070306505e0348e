"""From masked faces to sequences of 75 frames, and their split into training, validation and test."""
