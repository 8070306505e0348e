"""Keras and TensorFlow, configured to write no start-up messages and to compute the same numbers on every run.

The only place that sets TensorFlow's environment; all other modules import `keras` and `tf` from here.
"""

from __future__ import annotations

import os

from lib.base.numerics import ONEDNN_ISA, check_processor
from lib.base.quiet import stderr_shut

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only; the C++ part reads it once
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# cuBLAS keeps one workspace per stream: without this, an LSTM on a GPU may sum in another order each time.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

check_processor()  # a kernel that the processor lacks would end the process without a message

with stderr_shut():  # else a start-up message of oneDNN, which no log level silences, would be in every notebook
    import keras
    import tensorflow as tf

tf.get_logger().setLevel("WARNING")  # else an export's temporary folder is named in notebook 14

__all__ = ["configure", "environment", "keras", "tf"]

_numerics: str | None = None  # what `configure` was given


def configure(threads: int = 1, numerics: str = "portable") -> None:
    """Make TensorFlow deterministic, set the number of CPU threads, and let it take a GPU's memory only as needed.

    Call it once, before anything is computed. With another number of threads the last digits differ, because
    sums are then taken in another order.

    Parameters
    ----------
    threads
        Threads of one operation; operations run one after another.
    numerics : {"portable", "native"}
        ``portable`` uses kernels that every x86-64 processor with AVX2 has, so the bytes are the same on all of them;
        ``native`` uses this processor's fastest kernels.

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
    # It cannot fuse Conv3D with LeakyReLU while the gradient needs both, and warns of it in every training.
    tf.config.optimizer.set_experimental_options({"remapping": False})


def environment() -> dict:
    """What decides the last digits of a training besides its parameters: versions, kernels, threads, devices."""
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numerics": _numerics or "portable",
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "gpus": len(tf.config.get_visible_devices("GPU")),
    }
