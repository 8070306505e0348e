"""Verdicts: the rules on runs written to a folder, the margins to the digit, and the file that states them."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.base.paths import PAPER
from lib.base.problems import InputProblem
from lib.claims import rulebook, verdicts
from lib.measures import uncertainty
from lib.study import load, paper

CORPUS = {"name": "drawn", "folder": "none"}
ROWS = [(5, 0.0001, 20), (6, 0.0001, 20), (7, 0.0001, 20), (5, 0.001, 20), (6, 0.001, 20), (7, 0.001, 20)]
ROWS += [(layers, 0.00001, epochs) for layers in (5, 6, 7) for epochs in (20, 30)]
GRID = [dict(zip(("layers", "learning_rate", "epochs"), row, strict=True)) for row in ROWS]
PLAN = {"cells": GRID[3:6], "seeds": [2021, 2022], "protocols": {"paper": 2, "actor": 2}}
CONTENT = yaml.safe_load((PAPER / "verdicts.yaml").read_text(encoding="utf-8"))
BOOK = rulebook.read()
ENTRY = {entry.id: entry for entry in BOOK.entries}


def loaded(folder, **changes):
    """The study with other keys than the usual ones."""
    corpora = {"cremad": CORPUS, "ravdess": CORPUS}
    content = {"study": "made", "title": "", "corpora": corpora, "grid": GRID, "uncertainty": PLAN, **changes}
    whole = json.loads(json.dumps({key: value for key, value in content.items() if value is not None}))
    path = folder / "made.yaml"
    path.write_text(yaml.safe_dump(whole))  # which has no aliases: nothing in it is there twice
    return load(path)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("usual"))


@pytest.fixture
def study(usual, tmp_path, monkeypatch):
    """Give the study, changed; its workspace is empty."""
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    return lambda **changes: loaded(tmp_path, **changes) if changes else usual


def table(emotions, predicted, actors=5):
    """Predictions as notebook 04 writes them, the sequences dealt to so many actors in turn."""
    count = len(emotions)
    made = pd.DataFrame({"sequence": range(count), "clip": [f"clip{i}" for i in range(count)], "window": 0})
    made["actor"], made["sex"], made["level"] = np.arange(count) % actors, "female", "XX"
    made["emotion"], made["predicted"] = list(emotions), list(predicted)
    return made.assign(**dict.fromkeys(PROBABILITIES, 0.1))


def right(count, total=40, **others):
    """A table of `total` sad sequences, of which the first `count` are seen as such."""
    return table(["sad"] * total, ["sad"] * count + ["fear"] * (total - count), **others)


def write(study, cell, test, validation=None, transfer=None):
    """Leave the run of a training."""
    folder = study.training(cell)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [test.assign(part="test"), (test if validation is None else validation).assign(part="validation")]
    pd.concat(parts).to_csv(folder / "predictions.csv", index=False)
    (test if transfer is None else transfer).to_csv(folder / "transfer_predictions.csv", index=False)
    accuracy = (test["predicted"] == test["emotion"]).mean()
    (folder / "metrics.json").write_text(json.dumps({"test_accuracy": accuracy}))


def repeats(study, layers, protocol="paper"):
    return [cell for cell in study.repeats(protocol) if cell.layers == layers]


def judged_all(study, entries):
    """The rows of claims; two seeds are enough here."""
    entries = tuple(entry if entry.row else replace(entry, seeds=2) for entry in entries)
    return verdicts.judge(study, rulebook.Rulebook(2.5, entries, ()))


def judged(study, entry, **changes):
    """The row of one claim."""
    return judged_all(study, [replace(entry, **changes)]).iloc[0]


def untested(row):
    assert row["verdict"] == "cannot be tested" and np.isnan(row["ours"])
    return row["reason"]


# The file


def test_every_claim_is_judged_or_settled_elsewhere():
    claims = [claim for entry in BOOK.entries for claim in entry.claims]
    assert {*claims, *BOOK.elsewhere} == set(paper.table("claims")["id"])
    assert not set(claims) & set(BOOK.elsewhere)


def test_the_margins_are_those_announced():
    assert BOOK.close == 2.5
    assert {entry.margin for entry in BOOK.entries if entry.rule in ("value", "below")} == {5}
    assert {entry.seeds for entry in BOOK.entries if entry.protocol and entry.row is None} == {5}
    head = (PAPER / "verdicts.yaml").read_text(encoding="utf-8").split("close:")[0]
    assert "DECIDED BEFORE ANY NUMBER" in head and all(rule in head for rule in verdicts.RULES)


def test_every_rule_has_a_schema():
    assert list(rulebook.SCHEMAS) == list(verdicts.RULES)


def stated(entry, layers):
    """The paper's percentage for one network, from its published tables."""
    table1, text = paper.table("table1"), paper.table("text").set_index("name")["value"]
    if entry.measure == "recall":
        (emotion,) = entry.emotions
        if entry.part == "transfer":
            result = paper.table("claims").set_index("id").loc[entry.id, "result"]
            return float(re.search(r"recall is \d+/192 = ([\d.]+) %", result)[1])
        row = paper.table("fig5_margins").set_index("emotion").loc[emotion]
        return round(100 * row["correct"] / row["true_total"], 2)
    if entry.part == "transfer":
        return paper.table("table2").set_index("layers").loc[layers, "ravdess_accuracy"]
    if entry.row:
        row = pd.Series({"layers": layers, **entry.row})
        same = table1[[*row.index]].eq(row).all(axis=1)
        return 100 * table1.loc[same, f"{entry.part}_accuracy"].item()
    return float(text[f"{entry.part}_accuracy_{layers}"])


@pytest.mark.parametrize("entry", [e for e in BOOK.entries if not np.isnan(e.paper)], ids=lambda entry: entry.id)
def test_the_papers_values_are_its_own(entry):
    values = [stated(entry, 6 if layers == "best" else layers) for layers in entry.networks]
    value = values[0] if len(values) == 1 else min(a - b for a, b in zip(values, values[1:], strict=False))
    assert entry.paper == pytest.approx(value, abs=1e-9)
    if entry.rule == "value" and entry.measure == "accuracy" and entry.row is None and entry.id != "R01":
        printed = paper.table("claims").set_index("id").loc[entry.claims[0], "paper"]
        assert entry.paper in [float(number) for number in re.findall(r"[\d.]+", printed)]


@pytest.mark.parametrize(
    ("entry", "changes", "said"),
    [
        ("T02", {"margin": None}, "'margin' is a required property"),
        ("T02", {"margin": 0}, "margin: 0 is less than or equal"),
        ("T02", {"paper": "high"}, "paper: 'high' is not of type 'number'"),
        ("T02", {"about": 1}, ".*'about' was unexpected"),
        ("T02", {"networks": [6, 7]}, "networks: .* is too long"),
        ("T02", {"protocol": "people"}, "protocol: 'people' is not one of"),
        ("T02", {"seeds": 1}, "seeds: 1 is less than the minimum"),
        ("T10", {"margin": 5}, ".*'margin' was unexpected"),
        ("T10", {"networks": [6, 8]}, "networks: 1: 8 is not one of"),
        ("T10", {"claims": ["T99"]}, "names a claim that claims.csv has not"),
        ("F07c", {"measure": "uar"}, "measure: 'uar' is not one of"),
        ("F06", {"emotions": None}, "names an emotion for the measure recall"),
        ("F08", {"emotions": ["sad", "sad"]}, "emotions: .* non-unique"),
        ("T04a", {"row": None}, "takes either seeds or row"),
        ("T04a", {"seeds": 5}, "takes either seeds or row"),
        ("T04a", {"row": {"learning_rate": 0.001, "epochs": 75}}, "row: is none of Table 1"),
        ("X02", {"why": ""}, "why: ''"),
    ],
)
def test_an_altered_entry_is_refused_by_name(tmp_path, entry, changes, said):
    (stated,) = [found for found in CONTENT["claims"] if found["id"] == entry]
    altered = {key: value for key, value in {**stated, **changes}.items() if value is not None}
    path = tmp_path / "altered.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, "claims": [altered]}))
    with pytest.raises(InputProblem, match=f"altered.yaml: entry {entry}: {said}"):
        rulebook.read(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: T10,", "id: T11,", "entry T11: is there twice"),
        ("id: T10,", "id: t10,", "entry 22: id: 't10' does not match|entry t10: id: 't10' does not match"),
        ("rule: easiest,", "rule: simplest,", "rule: 'simplest' is not one of"),
        ("elsewhere: [D01", "elsewhere: [D99", "elsewhere: names a claim"),
        ("close: 2.5", "closest: 2.5", "the top level: .*close"),
        ("close: 2.5", "close: [2.5", "cannot be read as YAML"),
    ],
)
def test_an_altered_file_is_refused(tmp_path, old, new, said):
    text = (PAPER / "verdicts.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "altered.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputProblem, match=f"altered.yaml.*({said})"):
        rulebook.read(path)


@pytest.mark.parametrize("content", [None, b"\xff", b"[]", b"close: 2.5"])
def test_no_rulebook_at_all_is_one_sentence(tmp_path, content):
    path = tmp_path / "none.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputProblem, match="none.yaml"):
        rulebook.read(path)


# Percentages


def test_the_margin_belongs_to_reproduced(study):
    plan = study()
    for cell, count in zip(repeats(plan, 6), (28, 32), strict=True):
        write(plan, cell, right(count))
    expected = [
        (80, "reproduced", False),
        (70, "reproduced", False),
        (80.01, "not reproduced", False),
        (69.99, "not reproduced", False),
        (77.5, "reproduced", True),
        (72.5, "reproduced", True),
        (77.51, "reproduced", False),
    ]
    rows = judged_all(plan, [replace(ENTRY["T01"], paper=value) for value, _, _ in expected])
    assert rows[["paper", "verdict", "close"]].apply(tuple, axis=1).tolist() == expected
    assert (rows["ours"] == 75).all() and np.allclose(rows["difference"], 75 - rows["paper"])
    row = rows.iloc[-1]
    assert row["low"] < 75 < row["high"]
    basis = "75.00 % .*n = 40 a seed, 2 seeds from 70.00 to 80.00, protocol paper"
    assert re.search(f"{basis}.*2.51 points below the paper's 77.51 %: at most 5 away", row["reason"])


def test_the_margin_is_decimal(study):
    plan = study()
    write(plan, plan.grid[3], right(151, 250))
    assert 65.4 - 60.4 > 5  # in binary fractions
    assert judged(plan, ENTRY["T04a"], paper=65.4)["verdict"] == "reproduced"


@pytest.mark.parametrize("rule", ["value", "below"])
def test_nearer_to_the_paper_is_never_worse(study, rule):
    plan = study()
    found = []
    for count in range(41):
        write(plan, plan.grid[3], right(count))
        entry = replace(ENTRY["T04a"], rule=rule, paper=52.0)
        found.append(judged(plan, entry)[["ours", "verdict", "close"]])
    table = pd.DataFrame(found)
    off = (table["ours"] - 52).abs() if rule == "value" else (52 - table["ours"]).clip(lower=0)
    ordered = table.assign(off=off).sort_values("off", kind="stable")
    for column in (ordered["verdict"] == "reproduced", ordered["close"].astype(bool)):
        assert column.is_monotonic_decreasing and column.nunique() == 2
    assert (table["verdict"].iloc[-1] == "reproduced") == (rule == "below")


def test_each_seed_weighs_the_same(study):
    plan = study()
    small, large = repeats(plan, 6, "actor")
    write(plan, small, right(10, 10))
    write(plan, large, right(15, 30))
    row = judged(plan, ENTRY["X01"])
    assert row["ours"] == 75 and "n = 10 to 30 a seed" in row["reason"]
    write(plan, small, right(30, 30))
    assert judged(plan, ENTRY["X01"])[["ours", "low", "high"]].equals(row[["ours", "low", "high"]])


def test_one_training_has_the_interval_of_its_predictions(study):
    plan = study()
    rng = np.random.default_rng([4])
    predictions = table(rng.choice(EMOTIONS, 90), rng.choice(EMOTIONS, 90), actors=9)
    write(plan, plan.grid[3], predictions)
    row = judged(plan, ENTRY["T04a"])
    assert [row["low"] / 100, row["high"] / 100] == pytest.approx(uncertainty.interval(predictions))
    assert "5-layer, 0.001, 20 epochs" in row["reason"] and "one training" in row["reason"]


def test_a_recall_counts_its_emotion_only(study):
    plan = study()
    for cell in repeats(plan, 6):
        write(plan, cell, table(["fear"] * 10 + ["sad"] * 90, ["fear"] * 7 + ["sad"] * 93))
    row = judged(plan, ENTRY["F05"])
    assert (row["ours"], row["verdict"]) == (70, "reproduced") and "n = 10 " in row["reason"]
    assert judged(plan, ENTRY["F04"])["reason"] == "no sequence shows the emotion"


def test_the_second_table_of_rows_is_the_one_in_its_place(study):
    """75 epochs of Table 1 are the longer of the two trainings."""
    plan = study()
    for row, count in ((8, 10), (9, 20)):
        write(plan, plan.grid[row], right(count))
    assert [judged(plan, ENTRY[name])["ours"] for name in ("T08a", "T08b")] == [25, 50]


def test_the_best_network_is_best_on_the_first_corpus(study):
    plan = study()
    for layers, tested, transferred in ((5, 20, 10), (6, 30, 20), (7, 25, 40)):
        for cell in repeats(plan, layers):
            write(plan, cell, right(tested), transfer=right(transferred))
    assert judged_all(plan, [ENTRY["A01"], ENTRY["A02"]])["ours"].tolist() == [75, 50]


# Leads


def networks(plan, **counts):
    """Write both repeats of each network; `counts` are right ones of 200, of 20 actors, by l5, l6, l7."""
    for name, count in counts.items():
        for cell in repeats(plan, int(name[1])):
            write(plan, cell, right(count, 200, actors=20))


@pytest.mark.parametrize(
    ("sixth", "seventh", "verdict", "place"),
    [
        (150, 120, "reproduced", "lies above 0"),
        (121, 120, "not reproduced", "holds 0"),
        (120, 120, "not reproduced", "holds 0"),
        (100, 150, "not reproduced", "lies below 0"),
    ],
)
def test_a_lead_counts_when_its_interval_lies_above_nothing(study, sixth, seventh, verdict, place):
    plan = study()
    networks(plan, l6=sixth, l7=seventh)
    row = judged(plan, ENTRY["T10"])
    assert (row["verdict"], row["ours"]) == (verdict, (sixth - seventh) / 2)
    assert place in row["reason"] and not row["close"]


def test_of_three_networks_the_smallest_lead_counts(study):
    plan = study()
    networks(plan, l5=60, l6=150, l7=150)
    row = judged(plan, ENTRY["T09a"])
    assert (row["ours"], row["verdict"]) == (0, "not reproduced")
    networks(plan, l7=110)
    row = judged(plan, ENTRY["T09a"])
    assert (row["ours"], row["verdict"]) == (20, "reproduced")
    assert "6-layer 75.00 %, 7-layer 55.00 %, 5-layer 30.00 %" in row["reason"]


def test_a_pair_of_trainings_is_compared_as_everywhere(study):
    plan = study()
    rng = np.random.default_rng([5])
    emotions = rng.choice(EMOTIONS, 120)
    first, second = (table(emotions, rng.choice(EMOTIONS, 120), actors=12) for _ in range(2))
    write(plan, plan.grid[10], first)  # 7 layers at 0.00001, 20 epochs
    write(plan, plan.grid[8], second)
    row, compared = judged(plan, ENTRY["T08c"]), uncertainty.compare(first, second)
    assert row[["ours", "low", "high"]].tolist() == pytest.approx([compared[k] for k in ("points", "low", "high")])


def test_other_sequences_are_not_compared(study):
    plan = study()
    networks(plan, l6=100)
    for cell in repeats(plan, 7):
        write(plan, cell, right(100, 180, actors=20))
    with pytest.raises(InputProblem, match="7-layer.* was not tested on the sequences of 6-layer"):
        judged(plan, ENTRY["T10"])


def test_the_order_of_the_rows_says_nothing(study):
    plan = study()
    networks(plan, l6=150, l7=120)
    before = judged(plan, ENTRY["T10"])
    for cell in repeats(plan, 7):
        write(plan, cell, right(120, 200, actors=20)[::-1])
    assert judged(plan, ENTRY["T10"]).equals(before)


def by_recall(**recalls):
    """100 sequences of each emotion by 10 actors, so many of them right, the others said to be the next emotion."""
    rows = [(e, e if i < recalls[e] else EMOTIONS[EMOTIONS.index(e) - 1]) for e in EMOTIONS for i in range(100)]
    return table(*zip(*rows, strict=True), actors=10)


def test_hardest_and_easiest(study):
    plan = study()
    made = by_recall(angry=80, disgust=85, fear=40, happy=95, neutral=45, sad=70)
    for cell in repeats(plan, 6):
        write(plan, cell, made)
    row = judged(plan, ENTRY["F07a"])
    assert (row["verdict"], row["ours"]) == ("reproduced", 25)
    assert "recalls fear 40.0, neutral 45.0, sad 70.0" in row["reason"]
    assert judged(plan, ENTRY["F07b"])[["verdict", "ours"]].tolist() == ["not reproduced", -30]
    assert judged(plan, ENTRY["F07a"], emotions=["fear", "sad"])["ours"] == -25
    row = judged(plan, ENTRY["F07c"])
    assert row[["verdict", "ours"]].tolist() == ["reproduced", 10] and "recalls happy 95.0, dis" in row["reason"]


def test_confusions_among_all_and_among_one(study):
    plan = study()
    emotions = ["sad"] * 100 + ["angry"] * 40 + ["happy"] * 60
    predicted = ["sad"] * 60 + ["fear"] * 30 + ["neutral"] * 10 + ["angry"] * 20 + ["fear"] * 16 + ["sad"] * 4
    made = table(emotions, predicted + ["happy"] * 60, actors=10)
    for cell in repeats(plan, 6):
        write(plan, cell, made)
    row = judged(plan, ENTRY["F08"])
    assert row[["verdict", "ours"]].tolist() == ["reproduced", 7]  # 30 less 16 of 200
    row = judged(plan, ENTRY["R08"])
    assert row[["verdict", "ours"]].tolist() == ["reproduced", 30]  # 16 less 4 of 40
    assert "n = 40 " in row["reason"]
    row = judged(plan, ENTRY["F08"], emotions=["angry", "fear"])
    assert (
        row["verdict"] == "not reproduced"
        and "most often sad for fear, 15.00 %, angry for fear 8.00 %" in row["reason"]
    )


def test_the_best_cell_of_the_grid_by_test_and_by_validation(study):
    plan = study()
    for cell in plan.grid:
        paper_best = (cell.layers, cell.learning_rate) == (6, 0.0001)
        other = (cell.layers, cell.learning_rate) == (5, 0.001)
        made = [right(150 if best else 100, 200, actors=20) for best in (paper_best, other)]
        write(plan, cell, *made)
    row = judged(plan, ENTRY["N06a"])
    assert row[["verdict", "ours"]].tolist() == ["reproduced", 25]
    row = judged(plan, ENTRY["N06b"])
    assert row[["verdict", "ours"]].tolist() == ["not reproduced", -25]
    assert "the best is 5-layer, 0.001, 20 epochs with 75.00 %, 7-layer, 0.0001" in row["reason"]
    lacking = study(grid=GRID[:-1])
    assert (
        "Table 1 has 2 trainings of 7 layers at 0.00001, the study's grid 1" in judged(lacking, ENTRY["N06a"])["reason"]
    )


# What is missing


def test_a_study_without_the_trainings_leaves_claims_untested(study):
    plan = study()
    networks(plan, l6=100)
    strict = verdicts.judge(plan, rulebook.Rulebook(2.5, (ENTRY["T01"],), ())).iloc[0]
    assert untested(strict) == "it takes 5 seeds under protocol paper, the study has 2"
    assert untested(judged(plan, ENTRY["P14"])) == "it takes 2 seeds under protocol clip, the study has 0"
    assert untested(judged(plan, ENTRY["X01"])).startswith("not done: 6-layer_lr-0.001_epochs-20_")
    assert untested(judged(plan, ENTRY["A01"])).startswith("not done: 5-layer_lr-0.001_epochs-20 and 1 more")
    assert "no training of 6 layers" in untested(judged(study(uncertainty=None), ENTRY["T01"]))
    assert "not at hand" in untested(judged(plan, ENTRY["X02"]))
    elsewhere = study(assumptions={"split_protocol": "actor"})
    assert untested(judged(elsewhere, ENTRY["T04a"])) == "the study's grid is not under protocol paper"


def test_one_actor_gives_no_lead(study):
    plan = study()
    for layers in (6, 7):
        for cell in repeats(plan, layers):
            write(plan, cell, right(20 + layers, actors=1))
    assert untested(judged(plan, ENTRY["T10"])) == "there are too few actors for the interval of a lead"
    row = judged(plan, ENTRY["T01"], paper=65)
    assert row["verdict"] == "reproduced" and "no interval" in row["reason"]


def test_a_finished_run_without_its_predictions_is_an_error(study):
    plan = study()
    networks(plan, l6=100)
    (plan.training(repeats(plan, 6)[0]) / "predictions.csv").unlink()
    with pytest.raises(InputProblem, match="predictions.csv"):
        judged(plan, ENTRY["T01"])


def test_the_whole_file_on_a_whole_study(study):
    """Every claim that is not untestable by its nature gets a verdict from a study that has all trainings."""
    seeds = [2021, 2022, 2023, 2024, 2025]
    full = study(uncertainty={**PLAN, "seeds": seeds, "protocols": {"paper": 5, "clip": 5, "actor": 5}})
    rng = np.random.default_rng([6])
    emotions = np.resize(EMOTIONS, 120)
    for cell in full.trainings:
        write(full, cell, table(emotions, np.where(rng.random(120) < 0.7, emotions, rng.choice(EMOTIONS, 120)), 11))
    table_ = verdicts.judge(full)
    assert list(table_.columns) == verdicts.COLUMNS and table_["id"].tolist() == [*ENTRY]
    untestable = table_["rule"] == "untestable"
    assert (table_["verdict"] == "cannot be tested").tolist() == untestable.tolist()
    assert table_.loc[~untestable, ["ours", "low", "high"]].notna().all(axis=None)
    assert (table_["low"] <= table_["high"])[~untestable].all()
    numbers = table_[["ours", "low", "high", "difference"]]
    assert numbers.equals(numbers.round(9))  # no lead of 1e-14
    assert set(table_["verdict"]) == set(verdicts.VERDICTS)
    assert (table_["reason"].str.len() > 20).all()
    none = verdicts.judge(study(uncertainty=None, study="empty"))
    assert (none["verdict"] == "cannot be tested").all() and not none["close"].any()
