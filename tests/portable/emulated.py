"""Compare the digests of `steps.py` natively and under emulated processors: ``make test-portable`` (Debian, qemu-user).

python tests/portable/emulated.py [--short]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
QEMU = "qemu-x86_64"
#: Processors of both makers: without and with the newer instruction sets, with caches of other sizes.
PROCESSORS = ("Haswell", "Skylake-Client", "EPYC-Rome", "EPYC-Milan", "max")
#: What the short form compares, on one processor of each maker.
SHORT = ("baseline", "masked clip")


def digests(command: list[str], parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Part and digest, each as soon as `steps.py`, run by `command`, prints it."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [*command, sys.executable, str(HERE / "steps.py"), *parts]
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                part, digest = line.strip().split(": ")
                yield part, digest
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command[:3])} ended with {process.returncode}: {errors.read()[-1500:]}")


def compare(parts: tuple[str, ...], processors: tuple[str, ...]) -> list[str]:
    """Each part that an emulated processor computes otherwise, as ``PROCESSOR: PART``; prints what is equal.

    As many processors as there are cores are emulated at once.
    """
    started, native = time.monotonic(), dict(digests([], parts))

    def differing(processor: str) -> list[str]:
        emulated: dict[str, str] = {}
        for part, value in digests([QEMU, "-cpu", processor], parts):
            emulated[part] = value
            result = "equal" if value == native[part] else "DIFFERS"
            progress = f"{len(emulated)} of {len(native)}, {(time.monotonic() - started) / 60:.0f} min"
            sys.stdout.write(f"{processor:16} {part:20} {result:8} {progress}\n")
            sys.stdout.flush()
        return [f"{processor}: {part}" for part, value in native.items() if emulated.get(part) != value]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [other for others in pool.map(differing, processors) for other in others]


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
