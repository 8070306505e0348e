"""Fixtures shared by all tests."""

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real clips (``cremad/VideoFlash``, ``ravdess/Actor_NN``, ``openface``), or a skip that says so."""
    folder = os.environ.get("REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("REAL_DATA names no folder of real clips, so nothing real is tested here")
    return Path(folder)


@pytest.fixture(scope="module")
def tracker():
    """Finds the landmarks of a face; its tests are marked `needs_models`."""
    from lib.faces.landmarks import FaceMesh

    return FaceMesh()


@pytest.fixture(scope="session")
def random_network():
    """Makes a network of a number of layers with random weights, those of its normalisations included."""
    import numpy as np

    from lib.training import loop, network

    loop.configure()

    def build(layers, **settings):
        model, random = network.build(layers, settings, seed=14), np.random.default_rng(layers)
        for layer in model.layers:
            if layer.name.startswith("batch_norm"):
                layer.set_weights([w + random.uniform(0, 0.5, w.shape).astype("float32") for w in layer.get_weights()])
        return model

    return build


@pytest.fixture(scope="session")
def exported_run(tmp_path_factory, random_network):
    """A run's folder as notebook 04 leaves it, with random weights, and its portable files."""
    from lib.prediction.export import export
    from lib.study import load

    recorded = Path(__file__).parent / "sample_runs" / load("sample").sensitivity.cell.run
    folder = tmp_path_factory.mktemp("runs") / recorded.name
    folder.mkdir()
    for name in ("metrics.json", "predictions.csv"):
        shutil.copy(recorded / name, folder)
    (folder / "params.yaml").write_text("study: sample\n")
    random_network(6, **load("sample").settings).save(folder / "model.keras")
    export(folder)
    return folder


#: Files that take longest. With several processes they come first, so that none is left over at the end.
LONGEST = ("test_notebooks.py", "test_workflow.py", "test_site.py", "test_faults.py", "test_training.py")


def pytest_collection_modifyitems(config, items):
    """Fast tests first, so that a mistake shows early; in a process of several (`make test`) the longest files."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    else:
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
