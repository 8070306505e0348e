"""Model card and data sheet, filled from recorded trainings of the sample and tables of its clips."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.emotions import EMOTIONS
from lib.base.files import write_problems, write_table
from lib.base.markdown import markdown
from lib.base.paths import NOTEBOOKS, ROOT, workspace
from lib.base.problems import InputProblem
from lib.corpora.cremad import LEVELS
from lib.corpora.folder import clip_table
from lib.corpora.registry import CORPORA
from lib.report import cards
from lib.run import runner
from lib.sequences import cutting, splits
from lib.study import load, results
from lib.study.metrics import write_metrics
from lib.synthetic import plan
from lib.synthetic.actors import cast

RECORD = ROOT / "tests" / "sample_runs"


def clips_of(study, corpus):
    """The sample's table of clips, without rendering one; and the clips' frames."""
    wanted = study.render[corpus]
    planned = [c for c in plan(corpus, **wanted, seed=study.render["seed"]) if c.emotion in EMOTIONS]
    rows = []
    for clip in planned:
        actor = cast(clip.actor)
        row = {"clip": clip.name, "path": f"/somewhere/else/{clip.name}.flv", "corpus": corpus, "actor": clip.actor}
        row |= {**clip.shown._asdict(), "sex": actor.sex.lower()}
        rows.append(row | ({"age": actor.age, "race": actor.race} if corpus == "cremad" else {}))
    frames = pd.DataFrame({"clip": [c.name for c in planned], "frames": [c.frames for c in planned]})
    return clip_table(rows).assign(finding=""), frames


def fill(study):
    """Write what the cards read: tables of both corpora, a recorded training, notebooks' metrics and tables."""
    for corpus in CORPORA:
        clips, frames = clips_of(study, corpus)
        faces = frames.assign(frames_with_face=frames["frames"], problem="")
        rule = "windows" if corpus == "cremad" else "first"
        write_table(clips, study.data(corpus) / "clips.csv")
        write_table(faces, study.faces(corpus) / "faces.csv")
        write_table(cutting.sequences_of(clips, faces, rule, 75, 35, 110), study.sequences(corpus) / "sequences.csv")
        write_problems([], study.data(corpus) / "problems_clips.csv")
    cell = next(cell for cell in study.grid if (cell.layers, cell.learning_rate) == (6, 0.001))
    shutil.copytree(RECORD / cell.run, study.training(cell))
    cut = cutting.read_table(study.sequences("cremad") / "sequences.csv")
    part = splits.split(cut, "random", study.settings["split_sizes"], study.settings["seed"])
    actors = {name: sorted(set(cut.loc[part == name, "actor"].tolist())) for name in splits.PARTS}
    change(study.training(cell), actors=actors)
    write_metrics(study.runs("05_training_grid") / "default", best_run=cell.run, best_by_validation=cell.run)
    fitted = {"temperature": 0.82, "log_loss_before_and_after": {"validation": [0.14, 0.13], "test": [0.22, 0.25]}}
    hardest = {"recall": "sad", "precision": "fear"}
    write_metrics(study.runs("06_confusion_matrices") / "default", hardest=hardest, calibration=fitted)
    tables(study).mkdir(parents=True)
    for name in ("best_network", "best_network_groups", "by_group"):
        shutil.copy(ROOT / "tables" / study.name / f"{name}.csv", tables(study))
    write_metrics(study.runs("07_ravdess_transfer") / "default", by_layers={"6": 57.14})


def tables(study):
    """Folder of the tables that notebooks save."""
    return workspace() / "tables" / study.name


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A filled workspace, and the cards of the sample in it."""
    folder = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_WORKSPACE", str(folder))
        study = load("sample")
        fill(study)
        return folder, study, cards.rendered(study)


@pytest.fixture
def texts(filled):
    return filled[2]


@pytest.fixture
def study(filled, tmp_path, monkeypatch):
    """The sample in a filled workspace of its own."""
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    shutil.copytree(filled[0], tmp_path, dirs_exist_ok=True)
    return filled[1]


@pytest.fixture
def training(study):
    return study.training(next(cell for cell in study.grid if (cell.layers, cell.learning_rate) == (6, 0.001)))


def change(folder, **metrics):
    """Set values of a run's metrics.json, a new one if need be; None takes one out."""
    path = folder / "metrics.json"
    content = (json.loads(path.read_text()) if path.exists() else {}) | metrics
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def edit(path, **columns):
    """Set columns of a table."""
    write_table(cutting.read_table(path).assign(**columns), path)


def rows(text, *cells):
    """Rows of the text's tables that start with `cells`."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in found if row[: len(cells)] == list(cells)]


def test_the_cards_are_written_where_the_study_is(study, texts, tmp_path):
    written = cards.write(study)
    assert written == [tmp_path / "cards" / "sample" / name for name in ("model_card.md", "data_sheet.md")]
    assert [path.read_text(encoding="utf-8") for path in written] == list(texts.values())


def test_no_mark_of_a_template_is_left(texts):
    for text in texts.values():
        assert not re.search(r"\{[{%#]|[}%#]\}|Undefined|None|nan\b|NaN|<NA>", text)
        assert not re.search(r"/somewhere|\n{4}", text)
        for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
            assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_a_sample_says_so_in_its_title_and_its_first_line(texts):
    for text in texts.values():
        title, first = [line for line in text.splitlines() if line][:2]
        assert title.startswith("# ") and "synthetic sample" in title
        assert first.startswith("**This is a synthetic sample.**")


def test_every_actor_of_every_part_is_named(study, training, texts):
    card = texts["model_card"]
    actors = json.loads((training / "metrics.json").read_text())["actors"]
    assert len(actors["train"]) > 20
    for part, word in (("train", "training"), ("validation", "validation"), ("test", "test")):
        (named,) = re.findall(rf"Actors in the {word} part:\*\* ([\d, ]+)\.", card)
        assert [int(actor) for actor in named.split(",")] == actors[part]
    people = [cast(actor) for actor in actors["train"]]
    women = sum(person.sex == "Female" for person in people)
    assert rows(card, "train")[0][1:5] == [str(len(people)), str(women), str(len(people) - women), "0"]
    known = len(set(actors["test"]) & set(actors["train"]))
    assert f"{known} of the {len(actors['test'])} actors in the test part are in the training part, too" in card


def test_the_numbers_are_those_of_the_run(training, texts):
    card = texts["model_card"]
    metrics = json.loads((training / "metrics.json").read_text())
    for part in ("validation", "test", "transfer"):
        (row,) = [row for row in rows(card, part) if row[3].endswith("%")]
        assert row[3] == f"{100 * metrics[f'{part}_accuracy']:.1f} %"
        low, high = (float(limit) for limit in row[4].split(" to "))
        assert low < 100 * metrics[f"{part}_accuracy"] < high
    test = pd.read_csv(training / "predictions.csv").query("part == 'test'")
    for emotion, group in test.groupby("emotion"):
        assert rows(card, emotion)[0][1:3] == [str(len(group)), f"{100 * (group['predicted'] == emotion).mean():.1f} %"]
    for sex, group in test.groupby("sex"):
        accuracy = (group["predicted"] == group["emotion"]).mean()
        assert [str(len(group)), f"{100 * accuracy:.1f} %"] == rows(card, sex)[0][1:3]
    levels = [row[0][:2] for row in rows(card) if row[0][:2] in LEVELS]
    assert levels == [level for level in LEVELS if level in levels]


def test_the_assumptions_that_differ_are_listed(study, texts):
    card = texts["model_card"]
    for name in study.own_settings:
        assert rows(card, f"`{name}`"), name
    assert rows(card, "`face_backend`")[0][1:4] == ["open", "mesh", "openface"]


def test_clips_in_are_clips_used_and_clips_named(study, texts):
    sheet = texts["data_sheet"]
    count = {row[0]: [int(cell.replace(",", "")) for cell in row[1:]] for row in rows(sheet) if row[0][:5] == "clips"}
    listed, dropped, used = (np.array(count[f"clips {word}"]) for word in ("listed", "dropped later", "used"))
    assert (listed == used + dropped).all() and dropped[0] > 0
    clips, frames = clips_of(study, "cremad")
    assert listed[0] == len(clips)
    for short in frames[frames["frames"] < 35].itertuples():
        assert rows(sheet, short.clip) == [[short.clip, str(short.frames), "fewer than 35 frames"]]


def test_files_that_are_not_used_are_named_without_their_folder(study):
    problems = [InputProblem(Path("/secret/place") / f"{i}.flv", "is a pointer | not a video", "x") for i in range(30)]
    write_problems(problems, study.data("cremad") / "problems_clips.csv")
    faces = study.faces("cremad") / "faces.csv"
    table = cutting.read_table(faces)
    blind = table.loc[0, "clip"]
    edit(faces, frames_with_face=table["frames_with_face"].where(table.index > 0, 0))
    cut = study.sequences("cremad") / "sequences.csv"
    write_table(cutting.read_table(cut).query("clip != @blind"), cut)
    sheet = cards.rendered(study)["data_sheet"]
    assert "/secret" not in sheet and rows(sheet, "0.flv") == [["0.flv", "is a pointer \\", "not a video"]]
    assert "files that are not used:** 30." in sheet and "The first 20; the rest" in sheet
    assert rows(sheet, blind)[0][2] == "no face found"


@pytest.mark.parametrize("missing", [["age"], ["sex", "age", "race"]], ids="+".join)
def test_what_nobody_knows_of_an_actor_breaks_nothing(study, training, missing):
    path = study.data("cremad") / "clips.csv"
    clips = cutting.read_table(path)
    first = clips["actor"] == clips["actor"].min()
    edit(path, **{column: clips[column].mask(first) for column in missing})
    texts = cards.rendered(study)
    assert "; 1 unknown" in rows(texts["data_sheet"], "24")[0][4]
    assert "; 1 unknown" in rows(texts["model_card"], "train")[0][5]
    edit(path, **{column: np.nan for column in missing})
    texts = cards.rendered(study)
    assert rows(texts["data_sheet"], "24")[0][4] == "unknown"
    assert rows(texts["model_card"], "train")[0][5] == "unknown"


def test_ages_and_races_are_those_of_notebook_10(study, texts):
    assert "by age**" not in texts["model_card"]
    networks = {"seeds": 1, "mean": 0.5, "sd": None, "lowest": 0.5, "highest": 0.5, "low": 0.4, "high": 0.6, "ECE": 0.1}
    folder = study.runs("10_uncertainty") / "default"
    change(folder, networks={"random": {"6-layer": networks}}, reference="6-layer", gaps={}, baselines={"test": {}})
    card = cards.rendered(study)["model_card"]
    table = pd.read_csv(tables(study) / "by_group.csv").query("protocol == 'random' and group == 'age'")
    for row in table.itertuples():
        assert rows(card, row.value)[0][1:3] == [str(row.tests), f"{100 * row.accuracy:.1f} %"]
    assert len(table) > 3 and "by age**: the 6-layer network of notebook 10" in card
    write_table(table.query("group != 'age'"), tables(study) / "by_group.csv")
    assert "by age**" not in cards.rendered(study)["model_card"]


def test_what_was_not_run_is_said_to_be_missing(study, texts):
    assert "Missing: notebook 10" in texts["model_card"] and "Missing: notebook 11" in texts["model_card"]
    range_ = {"changes": [0.5, 0.61], "both": [0.4, 0.61], "seeds": [0.4, 0.6]}
    change(study.runs("11_sensitivity") / "default", reference={"run": "6-layer"}, seeds=5, trainings=4)
    change(study.runs("11_sensitivity") / "default", range={"test": range_, "transfer": range_})
    single = {"seeds": 1, "mean": 0.555, "sd": None, "lowest": 0.555, "highest": 0.555, "low": 0.51, "high": 0.62}
    several = single | {"seeds": 5, "sd": 0.0234, "highest": 0.6}
    networks = {"random": {"6-layer": several | {"ECE": 0.1}}, "actor": {"6-layer": single | {"ECE": 0.2}}}
    folder = study.runs("10_uncertainty") / "default"
    change(folder, networks=networks, reference="6-layer", gaps={"random - actor": {"6-layer": {"points": 4.2}}})
    majority = {"seeds": 5, "accuracy": 0.17, "low": 0.1, "high": 0.2}
    change(folder, baselines={"test": {"random": {"majority": majority}}})
    with pytest.raises(InputProblem, match="without what the cards need .*low"):
        cards.rendered(study)
    change(folder, gaps={"random - actor": {"6-layer": {"points": 4.2, "low": 1.0, "high": 9.0}}})
    card = cards.rendered(study)["model_card"]
    assert "Missing" not in card
    assert "50.0 % to 61.0 %" in card and "5 seeds of that network" in card
    scatter = ["55.5 %", "2.3", "55.5 % to 60.0 %", "51.0 to 62.0", "0.100"]
    assert rows(card, "random", "6-layer") == [["random", "6-layer", "5", *scatter]]
    assert rows(card, "actor", "6-layer")[0][4] == "one seed"
    assert "6-layer +4.2 (+1.0 to +9.0)." in card and rows(card, "majority")[0][2] == "17.0 %"


@pytest.mark.parametrize(
    "lost",
    ["05_training_grid", "06_confusion_matrices", "07_ravdess_transfer", "metrics.json", "best_network.csv",
     "best_network_groups.csv", "clips.csv", "problems_clips.csv", "faces.csv", "sequences.csv"],
)  # fmt: skip
def test_a_missing_file_is_named(study, training, lost, tmp_path):
    found = [path for path in tmp_path.rglob("*") if path.is_file() and lost in str(path.relative_to(tmp_path))]
    if lost == "metrics.json":
        found = [training / lost]
    found[0].unlink()
    with pytest.raises(InputProblem, match=rf"{re.escape(found[0].name)}: .*make reproduce"):
        cards.write(study)
    assert not (tmp_path / "cards").exists()


def test_the_command_ends_with_one_sentence(study, training, tmp_path, caplog):
    assert cards.main(["--study", "sample"]) == 0
    shutil.rmtree(training)
    assert cards.main(["--study", "sample"]) == 1
    assert len(caplog.records) == 1 and "the run is not done" in caplog.text


def test_a_run_and_its_tables_must_belong_together(study, training):
    accuracy = json.loads((training / "metrics.json").read_text())["test_accuracy"]
    change(training, test_accuracy=accuracy + 0.01)
    with pytest.raises(InputProblem, match="states an accuracy"):
        cards.rendered(study)
    change(training, test_accuracy=accuracy, actors=None)
    with pytest.raises(InputProblem, match="does not state actors"):
        cards.rendered(study)


def test_a_damaged_table_is_one_sentence(study):
    path = study.data("ravdess") / "clips.csv"
    for content, words in ((b"\xff\xfe\x00", "cannot be read"), (b"clip,actor\na,1\n", "has no column"), (b"", "read")):
        path.write_bytes(content)
        with pytest.raises(InputProblem, match=words):
            cards.rendered(study)


def test_a_study_of_the_real_corpora_says_nothing_of_a_sample(study, texts):
    named = {"cremad": {"name": "CREMA-D", "folder": ""}, "ravdess": {"name": "RAVDESS", "folder": ""}}
    real = dataclasses.replace(study, render=None, title="", corpora=named)
    of_real = cards.rendered(real)
    for text in of_real.values():
        assert "synthetic" not in text and "drawn heads" not in text
    assert "CC BY-NC-SA 4.0" in of_real["data_sheet"] and "Open Database License 1.0" in of_real["data_sheet"]
    for text in (texts["model_card"], of_real["model_card"]):
        assert "5(1)(f)" in text and "Not for:" in text
        assert "make predict" in text and re.search(r"temperature of\n\d\.\d\d, fitted on the validation part", text)
    assert "on a filmed one its answer means nothing" in texts["model_card"]
    assert "on a filmed one" not in of_real["model_card"]


@pytest.mark.slow
def test_the_card_shows_what_notebook_06_computes_of_incomplete_predictions(study, training):
    """A sex that is unknown for one actor is a group, one that nobody states is none; one actor has no interval."""
    for cell in study.grid:
        if study.training(cell) != training:
            shutil.copytree(RECORD / cell.run, study.training(cell))
    run = next(cell for cell in study.grid if cell.run == training.name)
    for path in training.glob("*.checksums.json"):
        path.unlink()
    one = results.predictions(study, run, "transfer").query("actor == actor.min()")
    write_table(one, training / "transfer_predictions.csv")
    right = float((one["predicted"] == one["emotion"]).mean())
    change(training, transfer_accuracy=right)
    table = pd.read_csv(training / "predictions.csv", dtype={"clip": str})
    for stated, groups in ((table["sex"].mask(table["actor"] == table["actor"].min()), 1), (np.nan, 0)):
        write_table(table.assign(sex=stated), training / "predictions.csv")
        out = study.runs("06_confusion_matrices") / "default"
        runner.run(NOTEBOOKS / "06_confusion_matrices.ipynb", out, {"study": "sample", "out": str(out)})
        card = cards.rendered(study)["model_card"]
        assert len([row for row in rows(card, "unknown") if row[2].endswith("%")]) == groups
        assert ("test part, by sex**" in card) == bool(groups)
        (row,) = [row for row in rows(card, "transfer") if row[3].endswith("%")]
        assert row[2:5] == ["1", f"{100 * right:.1f} %", "none"]


def test_a_part_of_one_actor_has_no_interval(study):
    edit(tables(study) / "best_network.csv", low=np.nan, high=np.nan, actors=1)
    (row,) = [row for row in rows(cards.rendered(study)["model_card"], "transfer") if row[3].endswith("%")]
    assert row[2] == "1" and row[4] == "none"


@given(st.lists(st.lists(st.text(max_size=12), min_size=2, max_size=2), max_size=4))
def test_a_table_stays_a_table_whatever_its_cells_hold(content):
    lines = markdown(pd.DataFrame(content, columns=["a", "b"])).splitlines()
    assert len(lines) == len(content) + 2
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
