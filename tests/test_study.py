"""A study's file: what it may hold, and the sentence for what it may not."""

import re

import pytest
import yaml

from lib.base.paths import CONFIG
from lib.base.problems import InputProblem
from lib.study import choices, study
from lib.study.cells import flow, spelled
from lib.study.publication import assumptions


@pytest.fixture
def content():
    return yaml.safe_load((CONFIG / "sample.yaml").read_text())


def load(content, folder):
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(content))
    return study.load(path)


@pytest.mark.parametrize("name", ["sample", "paper", "tiny", "sample-full", "paper-full"])
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
    changed = study.Cell(6, 1e-5, 75, {"seed": 2, "filters": [8, 16], "l2": 1e-5})
    assert changed.run == "6-layer_lr-0.00001_epochs-75_filters-8-16_l2-0.00001_seed-2"
    assert yaml.safe_load(flow(changed.changed)) == {"filters": [8, 16], "l2": 1e-5, "seed": 2}


def test_no_number_is_spelled_as_another():
    for value in (1e-11, 0.1 + 0.2, 1 / 255, 1.0, 0.0, 1e22, 123456.789):
        assert float(spelled(value)) == value and "e" not in spelled(value)
    assert spelled(1e-11) == "0.00000000001" and spelled(1.0) == "1"


def test_what_the_study_has_anyway_is_no_change():
    """Runs of equal parameters are one run, wherever they are asked for."""
    sample = study.load("sample")
    cell = sample.grid[0]
    assert sample.trained(cell, {"seed": 2021, "split_protocol": "random", "filters": [8, 16, 32]}) == cell
    assert sample.trained(cell, {"seed": 2022}) != cell
    runs = [cell.run for cell in study.load("sample-full").trainings]
    assert len(runs) == len(set(runs))


def test_a_study_that_extends_another_shares_its_data_and_trainings():
    sample, full = study.load("sample"), study.load("sample-full")
    assert full.data("cremad") == sample.data("cremad") and full.title == sample.title
    assert set(sample.grid) < set(full.grid) and len(full.grid) == 12  # all rows of Table 1
    assert full.training(sample.grid[0]) == sample.training(sample.grid[0])
    assert full.runs("05_training_grid") != sample.runs("05_training_grid")


def test_a_change_makes_only_the_files_that_it_touches():
    sample = study.load("sample")
    assert sample.changed({"seed": 1, "filters": [4, 4, 4]}).sequences("cremad") == sample.data("cremad")
    cut = sample.changed({"window_rule": "first"})
    assert cut.faces("cremad") == sample.data("cremad") and cut.sequences("ravdess") == sample.data("ravdess")
    assert cut.sequences("cremad") == sample.data("cremad") / "window_rule-first"
    masked = sample.changed({"face_interpolation": "linear"})
    assert (
        masked.faces("ravdess") == masked.sequences("ravdess") == sample.data("ravdess") / "face_interpolation-linear"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"leave_out": ["bad"]}, "leave_out cannot be changed for a single training"),
        ({"face_interpolation": "../../x"}, "is not one of .*area"),
        ({"sede": 1}, "sede"),
        ({"filters": 3}, "type"),
        ({"frame_order": "backwards"}, "filmed', 'shuffled', 'last"),
    ],
)
def test_a_wrong_change_is_one_clear_sentence(changes, said):
    with pytest.raises(InputProblem, match=said):
        study.load("sample").changed(changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(assumptions={"batch": 4}), "assumptions is that of the study"),
        (lambda c: c.update(extends="sample-full"), "extends another"),
        (lambda c: c.update(extends="../sample"), "extends"),
        (lambda c: c["uncertainty"]["protocols"].update(actor=9), "9 seeds and names 5"),
        (lambda c: c["uncertainty"]["controls"].update(layers=6, sorted=1), "sorted"),
        (lambda c: c["uncertainty"]["cells"].pop(1), "6 layers"),
        (lambda c: c["sensitivity"]["changes"].append({"filtres": [1]}), "filtres"),
    ],
)
def test_a_wrong_extension_is_one_clear_sentence(change, said, tmp_path):
    content = yaml.safe_load((CONFIG / "sample-full.yaml").read_text())
    change(content)
    with pytest.raises(InputProblem, match=said):
        load(content, tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(colour="red"), "colour"),
        (lambda c: c.pop("grid"), "grid"),
        (lambda c: c["grid"][2].update(learning_rate="1e-4"), r"grid\.2\.learning_rate.*0\.0001"),
        (lambda c: c["grid"][0].update(layers=8), r"grid\.0\.layers"),
        (lambda c: c["grid"].append(dict(c["grid"][0])), "twice"),
        (lambda c: c["assumptions"].update(filter=[1]), r"assumptions: .*filter"),
        (lambda c: c["assumptions"].update(batch="many"), r"assumptions\.batch"),
        (lambda c: c["assumptions"].update(batch=True), r"assumptions\.batch"),
        (lambda c: c["assumptions"].update(batch=0), r"assumptions\.batch.*minimum of 1"),
        (lambda c: c["assumptions"].update(l2=-0.1), r"assumptions\.l2.*minimum of 0"),
        (lambda c: c["assumptions"].update(face_backend="openface"), "openface_folder"),
        (lambda c: c["assumptions"].update(window_rule="bogus"), r"assumptions\.window_rule.*windows.*first"),
        (lambda c: c["assumptions"].update(split_protocol="bogus"), r"split_protocol.*random.*clip.*actor"),
        (lambda c: c["assumptions"].update(precision="bogus"), r"precision.*float32"),
        (lambda c: c["assumptions"].update(spatial_dropout=1.5), r"spatial_dropout.*maximum of 1"),
        (lambda c: c["assumptions"].update(lstm_dropout=float("nan")), "not finite"),
        (lambda c: c["assumptions"].update(window_minimum_frames=76), r"window_minimum_frames.*maximum of 75"),
        (lambda c: c["assumptions"].update(window_frames=76), r"window_frames.*75"),
        (lambda c: c["assumptions"].update(split_sizes=[1]), r"split_sizes.*short"),
        (lambda c: c["assumptions"].update(strides=[2, 2, 2]), r"strides\.0.*1"),
        (lambda c: c["sensitivity"]["changes"].append({"precision": "bogus"}), r"changes\.\d\.precision"),
        (lambda c: c["corpora"].pop("ravdess"), "ravdess"),
        (lambda c: c.update(title="<script>alert(1)</script>"), "title"),
        (lambda c: c.update(title="costs $1 or $2"), "title"),
        (lambda c: c["corpora"]["cremad"].update(name="[CREMA-D](x)"), r"corpora\.cremad\.name"),
    ],
)
def test_a_wrong_entry_is_one_clear_sentence(content, change, said, tmp_path):
    change(content)
    with pytest.raises(InputProblem, match=said) as caught:
        load(content, tmp_path)
    assert "changed.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_every_assumption_has_its_values_in_the_schema():
    schema = yaml.safe_load((CONFIG / "schema.yaml").read_text())["$defs"]["assumptions"]
    assert set(schema["properties"]) == set(assumptions())
    stated = {name: assumption.value for name, assumption in assumptions().items()}
    stated = {name: value for name, value in stated.items() if name not in study.WHOLE}
    assert study.load("paper").changed(stated).settings == study.load("paper").settings | stated


@pytest.mark.parametrize("where", ["study", "grid", "l2"])
def test_a_key_that_stands_twice_is_refused(where, tmp_path):
    text = (CONFIG / "sample.yaml").read_text()
    doubled = {
        "study": text + "study: other\n",
        "grid": text + "grid:\n  - {layers: 5, learning_rate: 0.1, epochs: 1}\n",
        "l2": text.replace("  batch: 8 ", "  l2: 0.1\n  l2: 0.01\n  batch: 8 "),
    }
    path = tmp_path / "twice.yaml"
    path.write_text(doubled[where])
    with pytest.raises(InputProblem, match=f"the key {where} twice") as caught:
        study.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "{", "\x00", "study: [", "3"])
def test_what_is_no_study_is_named(text, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(InputProblem, match=r"odd\.yaml"):
        study.load(path)


def test_an_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(InputProblem, match="paper, paper-full, paper-try, sample, sample-full, tiny"):
        study.load("sampel")


def test_each_list_of_choices_is_the_one_of_the_code_that_follows_it():
    from lib.sequences import splits

    assert set(splits.PROTOCOLS) == set(choices.PROTOCOLS)
    text = (CONFIG / "schema.yaml").read_text()
    assert {"layers", *choices.definitions()} <= set(re.findall(r"#/\$defs/(\w+)", text))
    for listed in choices.definitions().values():
        assert str(listed.get("enum")).replace("'", "") not in text, "this list stands in lib/study/choices.py"


def test_a_study_is_asked_only_what_it_can_answer(content, tmp_path):
    assert study.load("sample").not_asked == ("13_rehearsal",)  # of a twin only
    # of a filmed face nobody knows the muscles
    assert study.load("paper").not_asked == ("11_sensitivity", "13_rehearsal", "15_where_it_looks")
    content["uncertainty"]["protocols"].pop("actor")
    assert load(content, tmp_path).not_asked == ("13_rehearsal", "15_where_it_looks")
    del content["uncertainty"], content["sensitivity"]
    left_out = ("10_uncertainty", "11_sensitivity", "13_rehearsal", "15_where_it_looks")
    assert load(content, tmp_path).not_asked == left_out
    content["assumptions"]["frame_order"] = "shuffled"  # no video has its frames in that order
    assert "14_own_video" in load(content, tmp_path).not_asked
