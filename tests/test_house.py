"""What holds the house together: atomic files, one lock, one list of assumptions, notebooks of one shape."""

import graphlib
import os
import re
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
import yaml
from compared import RECORD

from lib.base import files, paths
from lib.base.files import write_problems
from lib.base.problems import InputProblem
from lib.claims.audit import figure5, printed
from lib.run import packages
from lib.study import load
from lib.study.metrics import read_metrics
from lib.study.publication import assumptions

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))
README = (paths.ROOT / "README.md").read_text(encoding="utf-8")


def locked():
    """Versions of requirements.lock, by name."""
    text = (paths.ROOT / "requirements.lock").read_text()
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", text, flags=re.MULTILINE))


def test_environment_equals_the_lock():
    pip = yaml.safe_load((paths.ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    pins = dict(re.match(r"([\w.-]+)==([^\s;]+)", line).groups() for line in pip if "==" in line)
    assert {name: locked()[name] for name in pins} == pins
    direct = re.findall(r'^    "([\w.-]+)[~=]=', (paths.ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert set(direct) == set(pins)


def test_the_lock_for_a_graphics_card_has_the_versions_of_the_other():
    text = (paths.ROOT / "requirements-gpu.lock").read_text()
    pins = dict(re.findall(r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", text, flags=re.MULTILINE))
    assert pins["tensorflow"] == locked()["tensorflow-cpu"] and "tensorflow-cpu" not in pins
    both = {*pins} & {*locked()} - {"tensorflow"}
    assert {name: pins[name] for name in both} == {name: locked()[name] for name in both}
    assert all(name.startswith("nvidia-") for name in {*pins} - {*locked()})


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.csv"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.written_atomically(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_problems_are_one_sentence_and_survive_a_process_border(tmp_path):
    import pickle

    problem = InputProblem(tmp_path / "x.flv", "is empty", "fetch it again")
    assert str(pickle.loads(pickle.dumps(problem))) == str(problem)
    table = write_problems([problem], tmp_path / "problems.csv")
    assert table["problem"].tolist() == ["is empty"]


def test_every_assumption_has_a_reason():
    for name, assumption in assumptions().items():
        assert assumption.reason.endswith("."), name
        assert assumption.where, name


def test_the_readme_gives_the_numbers_of_the_tables():
    """Its table of results is that of tables/sample, to the digit."""
    number = r" ([\d.]+) ± ([\d.]+) % \|"
    rows = re.findall(rf"^\| (\d)-layer \|{number}{number}$", README, flags=re.MULTILINE)
    networks = pd.read_csv(paths.ROOT / "tables/sample/uncertainty_networks.csv").query("protocol == 'random'")
    study = load("sample")
    assert len(rows) == len(networks)
    for (layers, *stated), row in zip(rows, networks.to_dict("records"), strict=True):
        assert row["network"] == f"{layers}-layer"
        repeats = [RECORD / cell.run for cell in study.repeats("random") if f"{cell.layers}" == layers]
        transfer = pd.Series([read_metrics(run)["transfer_accuracy"] for run in repeats])
        values = row["mean"], row["sd"], transfer.mean(), transfer.std()
        assert stated == [f"{100 * value:.1f}" for value in values]


def test_the_readme_gives_the_ranges_of_the_tables():
    tables = paths.ROOT / "tables/sample"
    network = pd.read_csv(tables / "uncertainty_networks.csv").query("protocol == 'random' and network == '6-layer'")
    seeds = (100 * network[["lowest", "highest"]]).iloc[0]
    changes = pd.read_csv(tables / "sensitivity.csv")["test %"].dropna().astype(float)
    text = " ".join(README.split())
    assert f"give {seeds['lowest']:.1f} to {seeds['highest']:.1f} %" in text
    assert len(changes) == 2 and f"gives {changes.min():.1f} %" in text  # the reference and one change


def test_the_readme_gives_the_numbers_of_the_twin():
    tables = paths.ROOT / "tables/twin-pilot"
    networks = pd.read_csv(tables / "uncertainty_networks.csv").set_index(["protocol", "network"])
    bases = pd.read_csv(tables / "baselines.csv").query("part == 'test' and what == 'landmark geometry'")
    geometry = 100 * bases.set_index("protocol")["accuracy"]
    crowd = 100 * pd.read_csv(paths.ROOT / "figures/twin-pilot/rehearsal_splits.csv")["crowd"].iloc[0]
    mixed, apart = (100 * networks.loc[(split, "6-layer")] for split in ("random", "actor"))
    text = " ".join(README.split())
    assert (
        f"right in {mixed['mean']:.1f} % under the random split ({mixed['lowest']:.1f} to {mixed['highest']:.1f} %"
        in text
    )
    assert f"in {apart['mean']:.1f} % with actors apart" in text and f"right in {crowd:.1f} % of the same clips" in text
    assert f"landmark geometry in {geometry['random']:.1f} and {geometry['actor']:.1f} %" in text


def test_the_readmes_answers_are_those_of_the_tables():
    """The first table: the paper's accuracies of emotions are precisions, and what knowing the actor is worth."""
    known = figure5()[1].set_index("emotion")
    quoted = printed("class_accuracies").query("figure == '5'").set_index("emotion")["accuracy"].astype(float)
    assert ((100 * known["precision"] - quoted).dropna().between(0, 0.1)).all() and len(quoted) == 3
    recalls = [f"{100 * known.at[emotion, 'recall']:.1f}" for emotion in ("happy", "fear", "neutral", "sad")]
    assert known["recall"].idxmin() == "sad"
    assert (
        "All three are precisions. The recalls are {}, {} and {} %, and sad is the hardest ({} %).".format(*recalls)
        in README
    )
    gain = pd.read_csv(paths.ROOT / "tables/paper/human_acquaintance_gain.csv").set_index("gain").loc["the actor"]
    assert f"| {gain['points']} points ({gain['low']} to {gain['high']}) to a model of the raters' votes" in README


def test_the_readme_counts_the_claims_as_they_are():
    verdicts = pd.read_csv(paths.PAPER / "claims.csv")["verdict"].value_counts()
    words = {"consistent": "consistent", "corrected": "corrected", "inconsistent": "inconsistent", "unknown": "cannot"}
    counted = ", ".join(f"{verdicts[verdict]} {word}" for verdict, word in words.items())
    assert f"{verdicts.sum()} statements" in README and counted in README


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_shape_of_the_series(path):
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0].source
    assert first.startswith(f"# {path.stem[:2]} · ")
    assert all(f"**{word}:**" in first for word in ("Question", "Reads", "Writes", "Runs for"))
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert re.match(r"\w+: \w+ = .+  # .+", line), f"parameter without type or comment: {line}"
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1].source
    assert "write_metrics(" in last
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in notebook.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_shows_its_outputs_and_no_machine(path):
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs and not any(output.output_type == "error" for output in outputs)
    text = path.read_text()
    assert not re.search(r'"[^"]*(/home/|/root/|/tmp/|/work/)', text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_of_a_notebook_has_an_alternative_text(path):
    notebook = nbformat.read(path, as_version=4)
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert alt.endswith(".") and len(alt) > 30, f"cell {cell.id}"


#: Each package imports only from those before it. A study names corpora, so they come first; the workflow renders them.
PACKAGES = [
    "base",
    "corpora",
    "study",
    "faces",
    "sequences",
    "training",
    "measures",
    "claims",
    "synthetic",
    "prediction",
    "report",
    "run",
]


def test_packages_import_only_from_those_before_them():
    assert sorted(path.name for path in packages.LIB.iterdir() if (path / "__init__.py").exists()) == sorted(PACKAGES)
    for place, name in enumerate(PACKAGES):
        below = packages.of_package(name) & set(PACKAGES[place:])
        assert not below, f"{name} imports from {', '.join(sorted(below))}, which come after it"


def test_no_circle_among_the_modules_of_a_package():
    files = {
        ".".join(path.relative_to(packages.LIB.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(packages.LIB.rglob("*.py"))
    }
    needs = {name: packages.modules(path.read_text(encoding="utf-8")) & set(files) for name, path in files.items()}
    for name, others in needs.items():  # `from package import module` needs the module, not what the package imports
        parents = {other for other in others if any(more.startswith(f"{other}.") for more in others)}
        needs[name] = others - parents - {name}
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError


def test_opening_the_light_packages_loads_no_tensorflow():
    code = "import sys, lib.study, lib.measures.evaluation, lib.report.figures; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_notebooks_rule_depends_on_every_package_that_it_needs():
    for path in NOTEBOOKS:
        found = set(packages.of_notebook(path))
        assert "base" in found and "study" in found, path
        assert found == found.union(*(packages.of_package(name) for name in found)), path


#: What a module may have at the most.
LINES = 300


def test_a_module_reads_in_one_sitting():
    for path in sorted(packages.LIB.rglob("*.py")):
        name = path.relative_to(packages.LIB).as_posix()
        count = len(path.read_text(encoding="utf-8").splitlines())
        assert count <= LINES, f"{name} has {count} lines; give a part of it a module of its own"


def test_the_table_of_files_names_tests_that_exist():
    text = (paths.ROOT / "tests/FILES.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", text))
    assert len(named) > 40
    for file, test in sorted(named):
        assert f"def {test}(" in (paths.ROOT / "tests" / file).read_text(encoding="utf-8"), f"{file}::{test}"
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| file")]
    assert all("::" in row or "**Open" in row for row in rows)


@pytest.mark.parametrize(
    ("target", "variable"), [("predict", "VIDEO"), ("export", "RUN"), ("data", "TO"), ("check-real", "DATA")]
)
def test_no_name_becomes_part_of_a_command(target, variable, tmp_path):
    """A name that a stranger chose could hold what make or the shell runs, such as `reboot` in backquotes."""
    name = f'it\'s `reboot`; $x $(shell touch "{tmp_path}/ran") "x".mp4'
    # as a user calls it, not as the make that runs these tests would: that one passes on its options and says more
    outside = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}

    def printed_by_make(*words):
        command = ["make", *words, f"{variable}={name}"]
        return subprocess.run(command, cwd=paths.ROOT, env=outside, capture_output=True, text=True, check=True).stdout

    assert printed_by_make("--eval", f"print:; @printenv {variable}", "print") == f"{name}\n"
    shown = printed_by_make("--dry-run", target)
    assert shown.count(f"${variable}") == shown.count(f'"${variable}"') > 0 and "reboot" not in shown
    assert not (tmp_path / "ran").exists()
