"""A training on as many sequences as the paper's keeps to its memory."""

import re
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parent / "benchmarks/bench_full_size.py"


def test_training_on_5000_sequences_stays_below_3_gb():
    """The widest network, no copy of the whole array: as float32 the array would be 3.5 GB."""
    command = [sys.executable, BENCH, "--only", "train", "--layers", "7", "--steps", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    peak = float(re.search(r"at most ([\d.]+) GB \(goal", done.stdout)[1])
    assert 1.0 < peak < 3.0, "the mapped array counts, so less than 1 GB would be no measurement"
