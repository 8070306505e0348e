"""What the paper states, as data: whole, well formed, and not altered unnoticed."""

import shutil

import nbformat
import pandas as pd
import pytest

from lib.base.emotions import EMOTIONS
from lib.base.paths import NOTEBOOKS, PAPER
from lib.base.problems import InputProblem
from lib.claims import audit
from lib.claims.settle import CLAIM_COLUMNS, VERDICTS, Claims
from lib.study import publication


def test_table_1_has_the_twelve_runs():
    table = audit.printed("table1")
    keys = table[["layers", "learning_rate", "epochs"]]
    assert len(table) == 12 and not keys.duplicated().any()
    assert sorted(keys.groupby(["learning_rate", "epochs"]).size()) == [3, 3, 3, 3]
    numbers = publication.table("table1")
    accuracies, losses = numbers.filter(like="accuracy"), numbers.filter(like="loss")
    assert accuracies.size + losses.size == 72 and not numbers.isna().any(axis=None)
    assert accuracies.gt(0).all(axis=None) and accuracies.lt(1).all(axis=None) and losses.lt(1.4).all(axis=None)


def test_decimals_stay_as_printed():
    assert audit.printed("table1")["validation_accuracy"][2] == "0.80"
    assert audit.printed("table2").set_index("layers")["ravdess_accuracy"].to_dict() == {
        "5": "57.86",
        "6": "63.35",
        "7": "60",
    }


def test_the_sums():
    assert publication.table("splits")["sequences"].sum() == 7704
    assert publication.table("frame_bins")["clips"].sum() == 7422


def test_figure_5_is_square_in_the_order_of_emotions():
    matrix = publication.table("fig5")
    assert matrix["true"].tolist() == list(EMOTIONS) == list(matrix.columns[1:])
    assert (
        matrix[list(EMOTIONS)].to_numpy().sum()
        == publication.table("splits").set_index("part").loc["test", "sequences"]
    )


def test_a_missing_or_broken_file_of_the_paper_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputProblem, match=r"claims\.csv: cannot be read .*git checkout"):
        Claims(tmp_path / "claims.csv")
    monkeypatch.setattr(publication, "PAPER", tmp_path)
    for text in (None, "stated: [", "- a list", "open: {}"):
        if text is not None:
            (tmp_path / "assumptions.yaml").write_text(text)
        publication.assumptions.cache_clear()
        with pytest.raises(InputProblem, match=r"assumptions\.yaml: cannot be read"):
            publication.assumptions()
    publication.assumptions.cache_clear()


def test_a_setting_is_stated_or_open():
    settings = publication.assumptions()
    stated = {name for name, setting in settings.items() if setting.stated}
    assert {"batch", "beta_1", "window_trimmed_frames", "selection"} <= stated
    assert {"filters", "lstm_layers", "lstm_dropout_at", "downsampling", "leave_out"} <= set(settings) - stated
    text = publication.table("text").set_index("name")["value"]
    for name in ("batch", "beta_1", "beta_2", "lstm_units", "dense_units"):
        assert settings[name].value == float(text[name]), name
    frames = [settings[f"window_{name}_frames"].value for name in ("minimum", "trimmed")]
    assert frames == [int(text[name]) for name in ("frames_fewest", "frames_trimmed")]
    assert settings["input_scale"].value == 1 / float(text["divided_by"])


@pytest.mark.parametrize("read", [publication.table, audit.printed])
@pytest.mark.parametrize("harm", ["a digit", "a line less", "missing"])
def test_a_changed_table_of_the_paper_is_refused(tmp_path, monkeypatch, read, harm):
    shutil.copytree(PAPER, tmp_path / "paper")
    for module in (publication, audit):
        monkeypatch.setattr(module, "PAPER", tmp_path / "paper")
    for path in sorted((tmp_path / "paper").glob("*.csv")):
        read(path.stem)
        content = path.read_bytes()
        if path.stem == "claims":  # notebook 08 settles it: test_audit.py
            continue
        if harm == "missing":
            path.unlink()
        else:
            path.write_bytes(content[:-2] + b"7\n" if harm == "a digit" else content[: content[:-1].rfind(b"\n") + 1])
        with pytest.raises(InputProblem, match="git checkout paper"):
            read(path.stem)


@pytest.mark.parametrize("path", sorted(PAPER.glob("*.csv")), ids=lambda path: path.name)
def test_every_table_is_described_and_rectangular(path):
    assert f"`{path.name}`" in (PAPER / "README.md").read_text(encoding="utf-8")
    pd.read_csv(path, dtype=str, on_bad_lines="error")


def test_claims_are_complete():
    claims = audit.printed("claims")
    assert list(claims.columns) == CLAIM_COLUMNS
    assert claims["id"].is_unique and 60 <= len(claims) <= 75
    assert set(claims["verdict"]) == set(VERDICTS)
    assert (claims != "").all().all()


def test_notebook_8_settles_every_claim():
    notebook = nbformat.read(NOTEBOOKS / "08_paper_audit.ipynb", 4)
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    shown = "".join(
        output.get("data", {}).get("text/markdown", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    for row in Claims().unsettled():
        assert f'"{row}"' in source, f"{row} is not settled"
        assert f"| {row} |" in shown, f"{row} is not shown"


@pytest.mark.parametrize("name", ["08_paper_audit", "09_human_baseline"])
def test_the_notebooks_are_committed_with_outputs(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in code)
