"""From numbers to verdicts on the paper's claims."""
