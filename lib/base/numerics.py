"""The same bytes on every x86-64 processor with AVX2.

Libraries choose their kernels by the processor, and different kernels round the last digits differently; within some
forty training steps the difference grows to visible numbers. So every library is limited, before it is loaded, to the
kernels that all these processors have: `prepare` runs when `lib` is imported, which therefore comes before NumPy.

Only TensorFlow may take the processor's best kernels instead: ``numerics: native`` in a study's file, see
`lib.training.backend.configure`.
"""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

#: Newest instructions that oneDNN, TensorFlow's library of kernels, may use. Native leaves AMX out: some virtual
#: machines announce it and then end the process that uses it, and it has no float32 form.
ONEDNN_ISA = {"portable": "AVX2", "native": "AVX512_CORE_FP16"}

ENVIRONMENT = {
    # NumPy's loops for AVX-512 take exp, log and sin from another library (SVML).
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    # BLAS under NumPy, SciPy, scikit-learn and statsmodels. Threads split sums, so their number counts too.
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Intel's closed library in OpenCV chooses by processor; OpenCV has its own form of everything.
    "OPENCV_IPP": "disabled",
    "OPENCV_LOG_LEVEL": "ERROR",  # it warns that it is disabled
    # On processors without AVX512-VNNI, AVX-VNNI or AMX TensorFlow does not use oneDNN by default: 45 times slower.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "ONEDNN_MAX_CPU_ISA": ONEDNN_ISA["portable"],
}


def prepare() -> None:
    """Set the environment that the libraries read when they are loaded, for this process and its children.

    Raises
    ------
    ImportError
        If NumPy was imported before and has already chosen kernels that not every processor has.
    """
    if "numpy" in sys.modules and os.environ.get("NPY_DISABLE_CPU_FEATURES") is None and processor_has("X86_V4"):
        raise ImportError("numpy was imported before lib and computes other last digits: import lib first")
    os.environ.update(ENVIRONMENT)
    # OpenCV warns if the processor does not have the named feature.
    with suppress(OSError):
        if "avx512dq" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace"):
            os.environ["OPENCV_CPU_DISABLE"] = "AVX512-SKX"


def processor_has(feature: str) -> bool:
    """Whether NumPy may use `feature` of this processor, by NumPy's name for it, e.g. ``AVX2``."""
    from numpy._core._multiarray_umath import __cpu_features__

    return bool(__cpu_features__.get(feature))


def is_portable_machine() -> bool:
    """Whether this machine can reproduce the committed bytes: 64-bit x86 under Linux."""
    return platform.machine() == "x86_64" and sys.platform == "linux"


def missing_features() -> list[str]:
    """Instruction sets that the study needs and this processor does not have; empty if it is not x86-64."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return []
    return [name for name in ("AVX2", "FMA3") if not processor_has(name)]


def check_processor() -> None:
    """Raise InputProblem on an x86-64 processor without AVX2 and FMA, before anything is computed."""
    if missing := missing_features():
        from lib.base.problems import InputProblem

        problem = f"names a processor without {' and '.join(missing)}, which this study needs"
        raise InputProblem("/proc/cpuinfo", problem, "use one that has them (Intel 2013, AMD 2015 or later)")
