"""Run one step of the workflow, or predict videos: ``python -m lib STEP --study NAME ...``."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path

import yaml

from lib.base.paths import in_workspace, relative
from lib.base.problems import InputProblem
from lib.base.processes import end_with_run
from lib.corpora.registry import CORPORA
from lib.measures.chosen import best_of_grid
from lib.study import TRAINING, Study, load
from lib.study.results import remedy

log = logging.getLogger("lib")

#: Functions of `lib.steps` that take the study, a corpus, and the number of processes.
OF_CORPUS = ("render", "list-clips", "mask-faces", "cut-sequences")
STEPS = (*OF_CORPUS, "summarise", "predict-transfer", "fetch-models", "check", "export", "predict")


def run_folder(study: Study, run: str | None) -> Path:
    """Folder of the training `run` (a path or a name); for None, of the grid's best by the study's selection."""
    if run is not None:
        return Path(run) if Path(run).is_dir() else study.runs(TRAINING) / run
    return study.training(best_of_grid(study))


def predict_videos(videos: list[Path], run: str | None, name: str, to: Path) -> int:
    """Predict `videos` with a run's network, exported first if needed; return 1 if a video cannot be read."""
    from lib.prediction.portable import is_current, portable_folder
    from lib.prediction.predict import predict

    named = run is not None and Path(run).is_dir()
    folder = Path(str(run)) if named else run_folder(load(name), run)
    if not is_current(folder):  # in a process of its own: TensorFlow is needed for nothing else here
        command = [sys.executable, "-m", "lib", "export", "--study", name, "--run", str(folder)]
        if subprocess.run(command, check=False).returncode:
            return 1
    failed = predict(videos, portable_folder(folder), in_workspace(to))
    log.info("page: %s", relative(in_workspace(to) / "index.html"))
    return 1 if failed else 0


def main(arguments: list[str] | None = None) -> int:
    """Run one step; 1 and one clear sentence if its input cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m lib", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO", help="of predict: videos, folders of videos")
    parser.add_argument("--study", default="sample", help="a file of config/, or a .yaml file")
    parser.add_argument("--corpus", choices=CORPORA)
    for corpus in CORPORA.values():
        parser.add_argument(f"--{corpus.name}", help=f"folder of {corpus.title}, instead of the study's")
    parser.add_argument("--run", help="a training's folder, or its name; of export and predict: the best of the grid")
    parser.add_argument("--to", type=Path, default=Path("predictions"), help="of predict: folder of what it writes")
    parser.add_argument("--changes", type=yaml.safe_load, default={}, help="other assumptions, as one line of YAML")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    end_with_run()
    if chosen.videos and chosen.step != "predict":
        parser.error(f"{chosen.step} takes no videos")
    if chosen.step == "predict" and not chosen.videos:
        parser.error("predict needs a video: python -m lib predict clip.mp4")
    if chosen.step in OF_CORPUS and not chosen.corpus:
        parser.error(f"{chosen.step} needs a corpus: --corpus {' or '.join(CORPORA)}")
    if chosen.step == "predict-transfer" and not chosen.run:
        parser.error("predict-transfer needs a training: --run NAME")
    try:
        if chosen.step == "predict":
            return predict_videos(chosen.videos, chosen.run, chosen.study, chosen.to)
        if chosen.step == "fetch-models":
            from lib.faces.models import fetch_models

            fetch_models()
            return 0
        from lib import steps  # with pandas and all else that a prediction does without

        study = load(chosen.study, {corpus: getattr(chosen, corpus) for corpus in CORPORA}).changed(chosen.changes)
        if chosen.step == "predict-transfer":
            steps.predict_transfer(study, chosen.run)
        elif chosen.step == "check":
            steps.check(study)
        elif chosen.step == "export":
            from lib.prediction.export import export  # which loads TensorFlow

            export(run_folder(study, chosen.run), chosen.study)
        elif chosen.step == "summarise":
            steps.summarise(study)
        else:
            getattr(steps, chosen.step.replace("-", "_"))(study, chosen.corpus, chosen.cores)
    except InputProblem as problem:
        log.error("%s", problem)
        return 1
    except FileNotFoundError as error:  # what an earlier step writes
        log.error("%s is not there: %s.", relative(error.filename or "."), remedy(load(chosen.study)))
        return 1
    except OSError as error:  # no space left, a read-only folder: the system's own sentence names the file
        log.error("%s: %s; free space or change the folder, then run the same command again.",
                  relative(error.filename or "."), error.strerror)  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
