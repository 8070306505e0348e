"""A corpus is one record: a third one goes all the way to its predictions, and nothing else asks which it is."""

import re

import pandas as pd
import pytest
import third_corpus
import yaml

from lib.__main__ import main
from lib.base.paths import CONFIG, ROOT
from lib.base.problems import InputProblem
from lib.corpora.registry import CORPORA
from lib.sequences import cutting
from lib.study import load
from lib.synthetic import frames_of


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The tiny study, but the corpus for transfer is a third one, in a workspace of its own."""
    monkeypatch.setitem(CORPORA, third_corpus.NAME, third_corpus.CORPUS)
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    content = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    content["corpora"] = {"third": {"name": "Third", "folder": "videos"}, "cremad": content["corpora"]["cremad"]}
    content["render"] = {"seed": 7, "cremad": content["render"]["cremad"], "third": {"actors": 2, "clips": 4}}
    path = tmp_path / "third.yaml"
    path.write_text(yaml.safe_dump(content))
    return load(path)


def test_a_third_corpus_goes_from_its_folder_to_predictions(study):
    from lib.training import loop, network

    loop.configure(1)
    for step in ("check", "render", "list-clips", "mask-faces", "cut-sequences"):
        arguments = [step, "--study", str(study.config), "--corpus", "third", "--cores", "1"]
        assert main(arguments) == 0, step
    clips = cutting.read_table(study.data("third") / "clips.csv")
    assert len(clips) == 4 and set(clips["actor"]) == {501, 502}
    array, table = cutting.load(study.sequences("third"))
    assert len(array) == len(table) == 4 and set(table["clip"]) == set(clips["clip"])
    video = study.corpora["third"]["folder"] / "films" / f"{clips['clip'][0]}.mp4"
    assert next(iter(frames_of(video, 7)))[1].shape == (68, 2)

    run = study.training(study.grid[0])
    run.mkdir(parents=True)
    network.build(5, study.settings, seed=1).save(run / "model.keras")
    assert main(["predict-transfer", "--study", str(study.config), "--run", run.name]) == 0
    (path,) = run.glob("transfer_predictions_*.csv")
    assert pd.read_csv(path)["clip"].tolist() == table["clip"].tolist()


def test_the_roles_decide_and_not_the_order_of_the_file(study):
    assert (study.training_corpus, study.transfer_corpus) == ("cremad", "third")
    others = ("window_minimum_frames", "window_trimmed_frames", "window_face_share")
    assert CORPORA["third"].cuts == ("transfer_window_rule", *others)


@pytest.mark.parametrize(
    "corpora, said",
    [
        (["cremad"], "corpus for transfer"),
        (["ravdess", "third"], "corpus for training"),
        (["cremad", "ravdess", "third"], "corpus for transfer"),
        (["cremad", "fourth"], "fourth"),
    ],
)
def test_a_study_has_one_corpus_for_each_role(study, tmp_path, corpora, said):
    content = yaml.safe_load(study.config.read_text())
    content["corpora"] = {corpus: {"name": corpus, "folder": corpus} for corpus in corpora}
    content["render"] = {"seed": 1} | {corpus: {"actors": 1, "clips": 1} for corpus in corpora}
    study.config.write_text(yaml.safe_dump(content))
    with pytest.raises(InputProblem, match=said):
        load(study.config)


def test_nothing_outside_the_corpora_asks_which_corpus_it_has():
    asks = re.compile(r"""(==|!=|\bin|\[)\s*\(?["'](cremad|ravdess)["']""")
    files = [*(ROOT / "lib").rglob("*.py"), ROOT / "workflow/Snakefile", *(ROOT / "notebooks").glob("*.ipynb")]
    for path in files:
        if ROOT / "lib/corpora" not in path.parents:
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".ipynb":
                text = "\n".join(re.findall(r'^ {4}"(.*)\\n"?,?$', text, flags=re.MULTILINE)).replace('\\"', '"')
            assert not asks.search(text), f"{path}: {asks.search(text)[0]}"
