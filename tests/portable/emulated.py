"""Compare the digests of `steps.py` natively and under emulated processors: ``make test-portable`` (Debian, qemu-user).

python tests/portable/emulated.py [--short]
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
QEMU = "qemu-x86_64"
#: Processors of both makers: without and with the newer instruction sets, with caches of other sizes.
PROCESSORS = ("Haswell", "Skylake-Client", "EPYC-Rome", "EPYC-Milan", "max")
#: What the short form compares, on one processor of each maker.
SHORT = ("baseline", "masked clip")


def digests(command: list[str], parts: tuple[str, ...]) -> dict[str, str]:
    """What `steps.py` prints under `command`, by part."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [*command, sys.executable, str(HERE / "steps.py"), *parts]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr[-1500:]}")
    return dict(line.split(": ") for line in done.stdout.splitlines())


def compare(parts: tuple[str, ...], processors: tuple[str, ...]) -> list[str]:
    """Each part that an emulated processor computes otherwise, as ``PROCESSOR: PART``; prints what is equal."""
    native = digests([], parts)
    differing = []
    for processor in processors:
        emulated = digests([QEMU, "-cpu", processor], parts)
        for part, value in native.items():
            equal = emulated.get(part) == value
            sys.stdout.write(f"{processor:16} {part:20} {'equal' if equal else 'DIFFERS'}\n")
            sys.stdout.flush()
            if not equal:
                differing.append(f"{processor}: {part}")
    return differing


def main() -> int:
    """0 if every emulated processor gives the native bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="no training, two processors")
    if not shutil.which(QEMU):
        sys.stdout.write("qemu-x86_64 is not there: install qemu-user (Debian) to compare emulated processors\n")
        return 1
    chosen = parser.parse_args()
    differing = compare(SHORT if chosen.short else (), ("Haswell", "EPYC-Rome") if chosen.short else PROCESSORS)
    sys.stdout.write(f"different: {', '.join(differing)}\n" if differing else "all parts equal on all processors\n")
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
