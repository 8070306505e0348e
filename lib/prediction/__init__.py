"""A trained network outside the study: portable files of it, and what it says of one's own video."""
