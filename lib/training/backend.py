"""Keras and TensorFlow as this project uses them: quiet, and the same numbers on every run.

The only place that sets TensorFlow's environment; whoever needs TensorFlow imports `keras` and `tf` from here.
"""

from __future__ import annotations

import os

from lib.base.numerics import ONEDNN_ISA, check_processor
from lib.base.quiet import stderr_shut

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only, from the C++ half, which reads it once
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# cuBLAS keeps a workspace a stream: without this, an LSTM on a GPU may sum in another order each time.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

check_processor()  # a kernel that the processor lacks would end the process without a word

with stderr_shut():  # a start-up message by oneDNN that no log level silences would stand in every notebook
    import keras
    import tensorflow as tf

__all__ = ["configure", "environment", "keras", "tf"]

_numerics: str | None = None  # what `configure` was given


def configure(threads: int = 1, numerics: str = "portable") -> None:
    """Make TensorFlow deterministic, on `threads` CPU threads, and frugal with a GPU's memory.

    Call it once, before anything is computed. Another number of threads gives other last digits, because
    sums are then taken in another order.

    Parameters
    ----------
    threads
        Of one operation; two operations never run at once.
    numerics : {"portable", "native"}
        The kernels that every x86-64 processor with AVX2 has, hence the same bytes on all of them, or this
        processor's best ones.

    Raises
    ------
    RuntimeError
        If TensorFlow has computed already with other settings.
    """
    global _numerics
    if _numerics not in (None, numerics):
        raise RuntimeError(f"configure() comes too late: TensorFlow is already running with {_numerics} numerics")
    _numerics = numerics
    os.environ["ONEDNN_MAX_CPU_ISA"] = ONEDNN_ISA[numerics]  # oneDNN reads it at its first operation
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise RuntimeError("configure() comes too late: TensorFlow is already running") from error
    tf.config.experimental.enable_op_determinism()
    # It cannot fuse Conv3D with LeakyReLU while the gradient needs both, and complains at every training.
    tf.config.optimizer.set_experimental_options({"remapping": False})


def environment() -> dict:
    """What besides the parameters decides the last digits of a training: versions, kernels, threads, devices."""
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numerics": _numerics or "portable",
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "gpus": len(tf.config.get_visible_devices("GPU")),
    }
