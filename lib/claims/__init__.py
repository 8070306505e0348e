"""From results to verdicts on the paper's claims."""
