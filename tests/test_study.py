"""A study's file: what it may hold, and the sentence for what it may not."""

import pytest
import yaml

from lib import study
from lib.paths import CONFIG
from lib.problems import InputProblem


@pytest.fixture
def content():
    return yaml.safe_load((CONFIG / "sample.yaml").read_text())


def load(content, folder):
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(content))
    return study.load(path)


@pytest.mark.parametrize("name", ["sample", "paper", "tiny"])
def test_the_studies_of_the_project_are_valid(name):
    assert study.load(name).name == name


def test_the_papers_grid_is_its_table_1():
    grid = study.load("paper").grid
    assert len(grid) == 12
    assert sum(cell.continued(grid) is not None for cell in grid) == 3
    assert study.load("paper").settings["batch"] == 32


def test_a_longer_training_continues_the_longest_shorter_one():
    grid = tuple(study.Cell(6, 0.00001, epochs) for epochs in (10, 50, 75))
    assert grid[2].continued(grid) == grid[1]
    assert grid[0].continued(grid) is None
    assert study.Cell(5, 0.00001, 80).continued(grid) is None


def test_run_names_are_plain_numbers():
    assert study.Cell(6, 1e-5, 75).run == "6-layer_lr-0.00001_epochs-75"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(colour="red"), "colour"),
        (lambda c: c.pop("grid"), "grid"),
        (lambda c: c["grid"][3].update(learning_rate="1e-4"), r"grid\.3\.learning_rate.*0\.0001"),
        (lambda c: c["grid"][0].update(layers=8), r"grid\.0\.layers"),
        (lambda c: c["grid"].append(dict(c["grid"][0])), "twice"),
        (lambda c: c["assumptions"].update(filter=[1]), r"assumptions\.filter"),
        (lambda c: c["assumptions"].update(batch="many"), r"assumptions\.batch"),
        (lambda c: c["assumptions"].update(batch=True), r"assumptions\.batch"),
        (lambda c: c["assumptions"].update(batch=0), r"assumptions\.batch.*above zero"),
        (lambda c: c["assumptions"].update(l2=-0.1), r"assumptions\.l2.*above zero"),
        (lambda c: c["assumptions"].update(face_backend="openface"), "openface_folder"),
        (lambda c: c["corpora"].pop("ravdess"), "ravdess"),
    ],
)
def test_a_wrong_entry_is_one_clear_sentence(content, change, said, tmp_path):
    change(content)
    with pytest.raises(InputProblem, match=said) as caught:
        load(content, tmp_path)
    assert "changed.yaml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "{", "\x00", "study: [", "3"])
def test_what_is_no_study_is_named(text, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(InputProblem, match=r"odd\.yaml"):
        study.load(path)


def test_an_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(InputProblem, match="paper, sample, tiny"):
        study.load("sampel")
