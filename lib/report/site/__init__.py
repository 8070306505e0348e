"""The page: a study's executed notebooks, tables, figures, cards and verdicts as a static site, opened from a file."""
