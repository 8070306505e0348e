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
from lib.claims import rulebook, rules, verdicts
from lib.measures import uncertainty
from lib.study import load, publication

CORPUS = {"name": "drawn", "folder": "none"}
ROWS = [(5, 0.0001, 20), (6, 0.0001, 20), (7, 0.0001, 20), (5, 0.001, 20), (6, 0.001, 20), (7, 0.001, 20)]
ROWS += [(layers, 0.00001, epochs) for layers in (5, 6, 7) for epochs in (20, 30)]
GRID = [dict(zip(("layers", "learning_rate", "epochs"), row, strict=True)) for row in ROWS]
PLAN = {"cells": GRID[3:6], "seeds": [2021, 2022, 2023], "protocols": {"random": 3, "actor": 3}}
CONTENT = yaml.safe_load((PAPER / "verdicts.yaml").read_text(encoding="utf-8"))
MEASURED = ("accuracy", "loss")
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
def make_study(usual, tmp_path, monkeypatch):
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
    (folder / "metrics.json").write_text(json.dumps({"test_accuracy": accuracy, "best_epoch": 2, "test_loss": 0.7}))
    history = {"epoch": [1, 2], "train_loss": [0.9, 0.5], "train_accuracy": [0.1, accuracy]}
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)


def repeats(study, layers, protocol="random"):
    return [cell for cell in study.repeats(protocol) if cell.layers == layers]


def judged_all(study, entries):
    """The rows of claims; three seeds are enough here."""
    entries = tuple(replace(entry, seeds=3) if entry.seeds > 1 else entry for entry in entries)
    return verdicts.judge(study, rulebook.Rulebook(entries, ()))


def judged(study, entry, **changes):
    """The row of one claim."""
    return judged_all(study, [replace(entry, **changes)]).iloc[0]


def untested(row):
    assert row["verdict"] == "cannot be tested" and np.isnan(row["ours"])
    return row["reason"]


# The file


def test_every_claim_is_judged_or_settled_elsewhere():
    claims = [claim for entry in BOOK.entries for claim in entry.claims]
    assert {*claims, *BOOK.elsewhere} == set(publication.table("claims")["id"])
    assert not set(claims) & set(BOOK.elsewhere)


def test_the_margins_are_those_announced():
    margins = {(e.measure == "loss", e.margin) for e in BOOK.entries if e.rule in ("value", "below")}
    assert margins == {(False, 5), (True, 0.11)}
    assert {entry.seeds for entry in BOOK.entries if entry.protocol and entry.row is None} == {5}
    head = (PAPER / "verdicts.yaml").read_text(encoding="utf-8").split("elsewhere:")[0]
    assert "DECIDED BEFORE ANY NUMBER" in head and all(rule in head for rule in rules.RULES)


def test_the_margin_of_a_loss_is_what_five_points_are_worth_in_table_1():
    table1 = publication.table("table1")
    points, loss = (np.concatenate([table1[f"{part}_{m}"] for part in ("test", "validation")]) for m in MEASURED)
    assert -5 * np.polyfit(100 * points, loss, 1)[0] == pytest.approx(0.11, abs=0.005)


def test_every_number_of_table_1_has_a_rule():
    judged = {(e.networks[0], e.part, e.measure, str(e.row)) for e in BOOK.entries if e.rule == "value" and e.networks}
    top = {"learning_rate": 0.0001, "epochs": 50}
    for row in publication.table("table1").to_dict("records"):
        own = {"learning_rate": row["learning_rate"], "epochs": row["epochs"]}
        for part in ("train", "validation", "test"):
            for measure in MEASURED:
                assert (row["layers"], part, measure, str(None if own == top else own)) in judged


def test_rules_of_order_take_several_seeds():
    leads = [e for e in BOOK.entries if e.rule in ("order", "hardest", "easiest", "confusion", "best_cell")]
    assert leads and all(entry.seeds == 5 for entry in leads)


def test_every_rule_has_a_schema():
    assert list(rulebook.SCHEMAS) == list(rules.RULES)


def stated(entry, layers):
    """The paper's number for one network, from its published tables and claims."""
    claim = publication.table("claims").set_index("id").loc[entry.claims[0]]
    if entry.measure == "recall":
        return float(re.search(r"recall is \d+/\d+ = ([\d.]+) %", claim["result"])[1])
    if entry.measure == "precision":
        return float(re.match(r"[\d.]+", claim["paper"])[0])
    if entry.part == "transfer":
        return publication.table("table2").set_index("layers").loc[layers, "ravdess_accuracy"]
    text = publication.table("text").set_index("name")["value"]
    if entry.row is None and entry.measure == "accuracy" and entry.part == "test":
        return float(text[f"test_accuracy_{layers}"])
    row = pd.Series({"layers": layers, **(entry.row or {"learning_rate": 0.0001, "epochs": 50})})
    table1 = publication.table("table1")
    number = table1.loc[table1[[*row.index]].eq(row).all(axis=1), f"{entry.part}_{entry.measure}"].item()
    return number * (100 if entry.measure == "accuracy" else 1)


@pytest.mark.parametrize("entry", [e for e in BOOK.entries if not np.isnan(e.paper)], ids=lambda entry: entry.id)
def test_the_papers_values_are_its_own(entry):
    values = [stated(entry, 6 if isinstance(layers, str) else layers) for layers in entry.networks]
    value = values[0] if len(values) == 1 else min(a - b for a, b in zip(values, values[1:], strict=False))
    assert entry.paper == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("entry", "changes", "said"),
    [
        ("T02", {"margin": None}, "'margin' is a required property"),
        ("T02", {"margin": 0}, "margin: 0 is less than or equal"),
        ("T02", {"paper": "high"}, "paper: 'high' is not of type 'number'"),
        ("T02", {"about": 1}, ".*'about' was unexpected"),
        ("T02", {"networks": [6, 7]}, "networks: .* is too long"),
        ("T02", {"protocol": "people"}, "protocol: 'people' is not one of"),
        ("T02", {"seeds": 2}, "seeds: 2 is less than the minimum"),
        ("T02", {"part": "train", "measure": "recall", "emotions": ["sad"]}, "the training part has an accuracy"),
        ("R02", {"measure": "loss"}, "no loss is measured on the second corpus"),
        ("T10", {"seeds": None}, "'seeds' is a required property"),
        ("T10", {"networks": [6]}, "compares at least two networks"),
        ("X04", {"frame_orders": ["filmed", "backwards"]}, "frame_orders: 1: 'backwards' is not one of"),
        ("T10", {"margin": 5}, ".*'margin' was unexpected"),
        ("T10", {"networks": [6, 8]}, "networks: 1: 8 is not one of"),
        ("T10", {"claims": ["T99"]}, "names T99, which are not in claims.csv"),
        ("F07c", {"measure": "uar"}, "measure: 'uar' is not one of"),
        ("F06b", {"emotions": None}, "names an emotion for the measures recall"),
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
        ("id: T10,", "id: t10,", "entry t10: id: 't10' does not match"),
        ("rule: easiest,", "rule: simplest,", "rule: 'simplest' is not one of"),
        ("elsewhere: [S01", "elsewhere: [S99", "elsewhere: names S99"),
        ("table1: {claims: [T04]", "table1: {claims: [T99]", "table1: names T99"),
        ("loss: 0.11}}", "}}", "the top level: .*loss"),
        ("elsewhere: [S01", "elsewhere: [[S01", "cannot be read as YAML"),
    ],
)
def test_an_altered_file_is_refused(tmp_path, old, new, said):
    text = (PAPER / "verdicts.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "altered.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputProblem, match=f"altered.yaml.*({said})"):
        rulebook.read(path)


@pytest.mark.parametrize("content", [None, b"\xff", b"[]", b"elsewhere: [D01]"])
def test_no_rulebook_at_all_is_one_sentence(tmp_path, content):
    path = tmp_path / "none.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputProblem, match="none.yaml"):
        rulebook.read(path)


# Percentages


def even(count, total, actors=10):
    """A table of sad sequences of which every actor has the same share right, as near as can be."""
    return right(count, total, actors=actors)


def test_the_margin_belongs_to_reproduced(make_study):
    study = make_study()
    for cell, count in zip(repeats(study, 6), (740, 750, 760), strict=True):
        write(study, cell, even(count, 1000))
    expected = [
        (80, "reproduced", False),
        (70, "reproduced", False),
        (80.01, "not reproduced", False),
        (69.99, "not reproduced", False),
    ]
    rows = judged_all(study, [replace(ENTRY["T01"], paper=value) for value, _, _ in expected])
    assert rows[["paper", "verdict", "close"]].apply(tuple, axis=1).tolist() == expected
    assert (rows["ours"] == 75).all() and np.allclose(rows["difference"], 75 - rows["paper"])
    row = judged(study, ENTRY["T01"], paper=77.51)
    assert row["low"] < 75 < row["high"] < 80
    assert re.search(
        r"75.00 % \(95 % interval .*3 seeds from 74.00 to 76.00, protocol random\), "
        "2.51 below the paper's 77.51 %: at most 5",
        row["reason"],
    )


@pytest.mark.parametrize(("paper_says", "close"), [(77.5, True), (72.5, True), (77.51, False)])
def test_close_is_half_the_margin(make_study, paper_says, close):
    study = make_study()
    for cell in repeats(study, 6):
        write(study, cell, even(750, 1000))
    row = judged(study, ENTRY["T01"], paper=paper_says)
    assert row[["verdict", "close"]].tolist() == ["reproduced", close]


@pytest.mark.parametrize(
    ("counts", "paper_says", "verdict"),
    [
        ((600, 750, 900), 75, "cannot be tested"),  # nothing is known to 5 points
        ((600, 750, 900), 60, "cannot be tested"),  # nor is it known to be farther away
        ((600, 750, 900), 10, "not reproduced"),  # this it is
        ((740, 750, 760), 60, "not reproduced"),
    ],
)
def test_what_is_known_too_badly_cannot_be_tested(make_study, counts, paper_says, verdict):
    study = make_study()
    for cell, count in zip(repeats(study, 6), counts, strict=True):
        write(study, cell, even(count, 1000))
    row = judged(study, ENTRY["T01"], paper=paper_says)
    assert (row["verdict"], row["ours"], row["close"]) == (verdict, 75, False)
    assert ("too wide to tell" in row["reason"]) == (verdict == "cannot be tested")


def test_the_margin_is_decimal(make_study):
    study = make_study()
    for cell in repeats(study, 5):
        write(study, cell, even(604, 1000))
    assert 65.4 - 60.4 > 5  # in binary fractions
    assert judged(study, ENTRY["T03"], paper=65.4)["verdict"] == "reproduced"


@pytest.mark.parametrize("rule", ["value", "below"])
def test_nearer_to_the_paper_is_never_worse(make_study, rule):
    study = make_study()
    found = []
    for count in range(0, 1001, 25):
        for cell in repeats(study, 6):
            write(study, cell, even(count, 1000))
        found.append(judged(study, replace(ENTRY["T01"], rule=rule, paper=52.0))[["ours", "verdict", "close"]])
    table = pd.DataFrame(found)
    off = (table["ours"] - 52).abs() if rule == "value" else (52 - table["ours"]).clip(lower=0)
    ordered = table.assign(off=off).sort_values("off", kind="stable")
    for column in (ordered["verdict"] == "reproduced", ordered["close"].astype(bool)):
        assert column.is_monotonic_decreasing and column.nunique() == 2
    assert (table["verdict"].iloc[-1] == "reproduced") == (rule == "below")


def test_each_seed_weighs_the_same(make_study):
    study = make_study()
    small, *large = repeats(study, 6, "actor")
    write(study, small, right(10, 10))
    for cell in large:
        write(study, cell, right(15, 30))
    row = judged(study, ENTRY["X01"])
    assert row["ours"] == pytest.approx(200 / 3)
    write(study, small, right(30, 30))
    assert judged(study, ENTRY["X01"])["ours"] == row["ours"]


def test_one_training_takes_the_spread_of_its_networks_seeds(make_study):
    """A row of Table 1 that is trained once: sure only as far as the repeated network of as many layers agrees."""
    study = make_study()
    cell = study.grid[6]  # 5 layers at 0.00001, the shorter one
    write(study, cell, even(730, 1000))
    assert "does not train this network under three seeds" in untested(
        judged(make_study(uncertainty=None), ENTRY["T04d"])
    )
    for repeated, count in zip(repeats(study, 5), (590, 600, 610), strict=True):
        write(study, repeated, even(count, 1000))
    row = judged(study, ENTRY["T04d"])
    assert row[["ours", "verdict"]].tolist() == [73, "reproduced"] and "one training" in row["reason"]
    for repeated, count in zip(repeats(study, 5), (500, 600, 700), strict=True):
        write(study, repeated, even(count, 1000))
    assert judged(study, ENTRY["T04d"])["verdict"] == "cannot be tested"


def test_recall_and_precision_count_their_emotion_only(make_study):
    study = make_study()
    for cell in repeats(study, 6):
        write(
            study,
            cell,
            table(["fear"] * 100 + ["sad"] * 900, (["fear"] * 7 + ["sad"] * 3) * 10 + ["sad"] * 860 + ["fear"] * 40),
        )
    assert judged(study, ENTRY["F05b"])["ours"] == 70
    assert judged(study, ENTRY["F05a"])["ours"] == pytest.approx(100 * 70 / 110)
    assert "no sequence shows the emotion" in untested(judged(study, ENTRY["F04b"]))
    assert "no sequence is called the emotion" in untested(judged(study, ENTRY["F04a"]))


def test_losses_and_the_training_part(make_study):
    study = make_study()
    for cell, count in zip(repeats(study, 6), (940, 950, 960), strict=True):
        write(study, cell, even(count, 1000))
    loss, accuracy = (judged(study, ENTRY[f"T04.6.0.0001.50.{name}"]) for name in ("test_loss", "train_accuracy"))
    assert loss["ours"] == pytest.approx(0.7) and loss["verdict"] == "reproduced"  # that of metrics.json
    assert accuracy["ours"] == pytest.approx(95) and accuracy["verdict"] == "reproduced"  # the checkpoint's epoch
    assert judged(study, ENTRY["T04.6.0.0001.50.train_loss"])["ours"] == 0.5


def test_the_second_table_of_rows_is_the_one_in_its_place(make_study):
    """75 epochs of Table 1 are the longer of the two trainings."""
    study = make_study()
    for cell in repeats(study, 6):
        write(study, cell, even(500, 1000))
    for row, count in ((8, 100), (9, 200)):
        write(study, study.grid[row], even(count, 400))
    assert [judged(study, ENTRY[name])["ours"] for name in ("T08a", "T08b")] == [25, 50]


def test_the_best_network_is_chosen_on_the_first_corpus(make_study):
    study = make_study()
    for layers, tested, validated, transferred in ((5, 20, 10, 10), (6, 30, 15, 20), (7, 25, 35, 30)):
        for cell in repeats(study, layers):
            write(study, cell, right(tested), right(validated), right(transferred))
    found = judged_all(study, [ENTRY[name] for name in ("A01a", "A01b", "A02a", "A02b")])
    assert found["ours"].tolist() == [75, 62.5, 50, 75]


# Leads


def networks(study, **counts):
    """Write all repeats of each network; `counts` are right ones of 200, of 20 actors, by l5, l6, l7."""
    for name, count in counts.items():
        for cell in repeats(study, int(name[1])):
            write(study, cell, right(count, 200, actors=20))


@pytest.mark.parametrize(
    ("sixth", "seventh", "verdict", "place"),
    [
        (150, 120, "reproduced", "lies above 0"),
        (121, 120, "not reproduced", "holds 0"),
        (120, 120, "not reproduced", "holds 0"),
        (100, 150, "not reproduced", "lies below 0"),
    ],
)
def test_a_lead_counts_when_its_interval_lies_above_nothing(make_study, sixth, seventh, verdict, place):
    study = make_study()
    networks(study, l6=sixth, l7=seventh)
    row = judged(study, ENTRY["T10"])
    assert (row["verdict"], row["ours"]) == (verdict, (sixth - seventh) / 2)
    assert place in row["reason"] and not row["close"]


def test_of_three_networks_the_smallest_lead_counts(make_study):
    study = make_study()
    networks(study, l5=60, l6=150, l7=150)
    row = judged(study, ENTRY["T09a"])
    assert (row["ours"], row["verdict"]) == (0, "not reproduced")
    networks(study, l7=110)
    row = judged(study, ENTRY["T09a"])
    assert (row["ours"], row["verdict"]) == (20, "reproduced")
    assert "6-layer 75.00 %, 7-layer 55.00 %, 5-layer 30.00 %" in row["reason"]


def test_networks_are_compared_as_everywhere(make_study):
    study = make_study()
    rng = np.random.default_rng([5])
    pooled = {6: [], 7: []}
    for seed, (first, second) in enumerate(zip(repeats(study, 6), repeats(study, 7), strict=True)):
        emotions = rng.choice(EMOTIONS, 120)
        for layers, cell in ((6, first), (7, second)):
            made = table(emotions, rng.choice(EMOTIONS, 120), actors=12)
            write(study, cell, made)
            pooled[layers].append(made.assign(seed=seed))
    row, compared = judged(study, ENTRY["T10"]), uncertainty.compare(*map(pd.concat, pooled.values()))
    assert row[["ours", "low", "high"]].tolist() == pytest.approx([compared[k] for k in ("points", "low", "high")])


def test_a_lead_that_seeds_dispute_is_not_reproduced(make_study):
    """6 layers lead by 10 points on average: by 15 under two seeds, and not at all under the third."""
    study = make_study()
    for cell, count in zip(repeats(study, 6), (800, 800, 650), strict=True):
        write(study, cell, right(count, 1000, actors=20))
    for cell in repeats(study, 7):
        write(study, cell, right(650, 1000, actors=20))
    row = judged(study, ENTRY["T10"])
    assert row[["ours", "verdict"]].tolist() == [10, "not reproduced"] and "holds 0" in row["reason"]
    write(study, repeats(study, 6)[2], right(800, 1000, actors=20))
    assert judged(study, ENTRY["T10"])["verdict"] == "reproduced"


def test_one_training_of_each_network_has_no_order(make_study):
    """However large the lead: another seed might turn it round."""
    single = make_study(uncertainty={**PLAN, "seeds": [2021], "protocols": {"random": 1}})
    for layers, count in ((6, 200), (7, 20)):
        for cell in repeats(single, layers):
            write(single, cell, right(count, 200, actors=20))
    for name in ("T10", "T08c", "T09b", "N06a"):
        assert "it takes 3 seeds under protocol random, the study has 1" in untested(judged(single, ENTRY[name]))


def test_rows_of_the_grid_are_compared_where_the_study_repeats_them(make_study):
    study = make_study(uncertainty={**PLAN, "cells": [GRID[4], GRID[5]]})
    for layers, count in ((7, 160), (6, 120), (5, 80)):
        for cell in (c for c in study.trainings if c.layers == layers):
            write(study, cell, right(count, 200, actors=20))
    assert "it takes 3 seeds under protocol random, the study has 1" in untested(judged(study, ENTRY["T09b"]))
    row = judged(study, ENTRY["T09b"], networks=[7, 6])
    assert row[["ours", "verdict"]].tolist() == [20, "reproduced"]


def test_the_order_of_the_frames(make_study):
    study = make_study(uncertainty={**PLAN, "controls": {"layers": 6, "shuffled": 3}})
    for cells, count in ((repeats(study, 6), 160), (study.controls, 120)):
        for cell in cells:
            write(study, cell, right(count, 200, actors=20))
    row = judged(study, ENTRY["X04"])
    assert row[["ours", "verdict"]].tolist() == [20, "reproduced"]
    assert "6-layer on filmed frames 80.00 %, 6-layer on shuffled frames 60.00 %" in row["reason"]


def test_other_sequences_are_not_compared(make_study):
    study = make_study()
    networks(study, l6=100)
    for cell in repeats(study, 7):
        write(study, cell, right(100, 180, actors=20))
    with pytest.raises(InputProblem, match="7-layer.* was not tested on the sequences of 6-layer"):
        judged(study, ENTRY["T10"])


def test_the_order_of_the_rows_says_nothing(make_study):
    study = make_study()
    networks(study, l6=150, l7=120)
    before = judged(study, ENTRY["T10"])
    for cell in repeats(study, 7):
        write(study, cell, right(120, 200, actors=20)[::-1])
    assert judged(study, ENTRY["T10"]).equals(before)


def by_recall(**recalls):
    """100 sequences of each emotion by 10 actors, so many of them right, the others said to be the next emotion."""
    rows = [(e, e if i < recalls[e] else EMOTIONS[EMOTIONS.index(e) - 1]) for e in EMOTIONS for i in range(100)]
    return table(*zip(*rows, strict=True), actors=10)


def test_hardest_and_easiest(make_study):
    study = make_study()
    made = by_recall(angry=80, disgust=85, fear=40, happy=95, neutral=45, sad=70)
    for cell in repeats(study, 6):
        write(study, cell, made)
    row = judged(study, ENTRY["F07b"], emotions=["fear", "neutral"])
    assert (row["verdict"], row["ours"]) == ("reproduced", 25)
    assert "recalls fear 40.0, neutral 45.0, sad 70.0" in row["reason"]
    assert judged(study, ENTRY["F07b"])[["verdict", "ours"]].tolist() == ["not reproduced", -30]
    assert judged(study, ENTRY["F07b"], emotions=["fear", "sad"])["ours"] == -25
    row = judged(study, ENTRY["F07c"])
    assert row[["verdict", "ours"]].tolist() == ["reproduced", 10] and "recalls happy 95.0, dis" in row["reason"]


def test_confusions_among_all_and_among_one(make_study):
    study = make_study()
    emotions = ["sad"] * 100 + ["angry"] * 40 + ["happy"] * 60
    predicted = ["sad"] * 60 + ["fear"] * 30 + ["neutral"] * 10 + ["angry"] * 20 + ["fear"] * 16 + ["sad"] * 4
    made = table(emotions, predicted + ["happy"] * 60, actors=10)
    for cell in repeats(study, 6):
        write(study, cell, made)
    row = judged(study, ENTRY["F08"])
    assert row[["verdict", "ours"]].tolist() == ["reproduced", 7]  # 30 less 16 of 200
    row = judged(study, ENTRY["R08"])
    assert row[["verdict", "ours"]].tolist() == ["reproduced", 30]  # 16 less 4 of 40
    row = judged(study, ENTRY["F08"], emotions=["angry", "fear"])
    assert (
        row["verdict"] == "not reproduced"
        and "most often sad for fear, 15.00 %, angry for fear 8.00 %" in row["reason"]
    )


def test_the_best_cell_of_the_grid_takes_every_cell_under_every_seed(make_study):
    study = make_study()
    for cell in study.trainings:
        write(study, cell, right(150 if cell.layers == 6 else 100, 200, actors=20))
    assert "the study has 1" in untested(judged(study, ENTRY["N06a"]))
    incomplete = make_study(grid=GRID[:-1])
    without = make_study(grid=GRID[:1] + GRID[2:])
    assert "Table 1 has 1 training of 6 layers at 0.0001, the study's grid 0" in untested(
        judged(without, ENTRY["N06a"])
    )
    assert "Table 1 has 2 trainings of 7 layers at 0.00001, the study's grid 1" in untested(
        judged(incomplete, ENTRY["T08c"])
    )


# What is missing


def test_a_study_without_the_trainings_leaves_claims_untested(make_study):
    study = make_study()
    networks(study, l6=100)
    strict = verdicts.judge(study, rulebook.Rulebook((ENTRY["T01"],), ())).iloc[0]
    assert untested(strict) == "it takes 5 seeds under protocol random, the study has 3"
    assert untested(judged(study, ENTRY["P14"])) == "it takes 3 seeds under protocol clip, the study has 0"
    assert untested(judged(study, ENTRY["X01"])).startswith("not done: 6-layer_lr-0.001_epochs-20_")
    assert untested(judged(study, ENTRY["A01a"])).startswith("not done: 5-layer_lr-0.001_epochs-20 and 2 more")
    assert "no training of 6 layers" in untested(judged(make_study(uncertainty=None), ENTRY["T01"]))
    elsewhere = make_study(assumptions={"split_protocol": "actor"})
    assert untested(judged(elsewhere, ENTRY["T04d"])) == "the study's grid is not under protocol random"


def test_one_actor_gives_no_lead(make_study):
    study = make_study()
    for layers in (6, 7):
        for cell in repeats(study, layers):
            write(study, cell, right(20 + layers, actors=1))
    assert untested(judged(study, ENTRY["T10"])) == "there are too few actors for the interval of a lead"
    row = judged(study, ENTRY["T01"], paper=65)
    assert "too few actors" in untested(row)


def test_a_finished_run_without_its_predictions_is_an_error(make_study):
    study = make_study()
    networks(study, l6=100)
    (study.training(repeats(study, 6)[0]) / "predictions.csv").unlink()
    with pytest.raises(InputProblem, match="predictions.csv"):
        judged(study, ENTRY["T01"])


def test_the_whole_file_on_a_whole_study(make_study):
    """A study with five seeds of everything, as paper-full, leaves only what no training can settle.

    With every row of Table 1 trained once it leaves their orders, too.
    """
    seeds = [2021, 2022, 2023, 2024, 2025]
    repeated = {
        "seeds": seeds,
        "protocols": {"random": 5, "clip": 5, "actor": 5},
        "controls": {"layers": 6, "shuffled": 5},
    }
    full = make_study(uncertainty={**PLAN, **repeated, "grid": 5})
    rng = np.random.default_rng([6])
    emotions = np.resize(EMOTIONS, 240)
    for cell in full.trainings:
        write(full, cell, table(emotions, np.where(rng.random(240) < 0.7, emotions, rng.choice(EMOTIONS, 240)), 11))
    found = verdicts.judge(full)
    assert list(found.columns) == verdicts.VERDICT_COLUMNS and found["id"].tolist() == [*ENTRY]
    known = found["ours"].notna()
    never = set(found.loc[found["rule"] == "untestable", "id"])
    assert set(found.loc[~known, "id"]) == never
    once = verdicts.judge(make_study(uncertainty={**PLAN, **repeated}))
    single = {"T08c", "T08d", "T09c", "N06a", "N06b"}
    assert set(once.loc[once["ours"].isna(), "id"]) == single | never
    assert found.loc[known, ["low", "high"]].notna().all(axis=None)
    assert (found["low"] <= found["high"])[known].all()
    numbers = found[["ours", "low", "high", "difference"]]
    assert numbers.equals(numbers.round(9))  # no lead of 1e-14
    assert (found["reason"].str.len() > 20).all()
    ran = verdicts.runs(found)
    assert (ran["ran"] == "yes").sum() == known.sum()
    assert not ran.astype(str).apply(lambda column: column.str.contains("reproduced")).any(axis=None)
    none = verdicts.judge(make_study(uncertainty=None, study="empty"))
    assert (none["verdict"] == "cannot be tested").all() and not none["close"].any()
