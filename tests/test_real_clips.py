"""The six real clips through the steps that the workflow runs: clips, masked faces, sequences."""

import pandas as pd
import pytest
import yaml

from lib.__main__ import main
from lib.base.paths import CONFIG
from lib.sequences import cutting


@pytest.fixture(scope="module")
def made(real_data, tmp_path_factory):
    """A workspace in which both corpora of the paper's study are the folders of real clips."""
    with pytest.MonkeyPatch.context() as patch:
        workspace = tmp_path_factory.mktemp("real")
        patch.setenv("STUDY_WORKSPACE", str(workspace))
        folders = ["--cremad", str(real_data / "cremad"), "--ravdess", str(real_data / "ravdess")]
        for step in ("list-clips", "mask-faces", "cut-sequences"):
            for corpus in ("cremad", "ravdess"):
                assert main([step, "--study", "paper", "--corpus", corpus, "--cores", "2", *folders]) == 0
        yield workspace / "data" / "paper"


def test_names_become_labels(made):
    cremad, ravdess = (cutting.read_table(made / corpus / "clips.csv") for corpus in ("cremad", "ravdess"))
    assert cremad.set_index("clip")["emotion"].to_dict() == {
        "1001_DFA_ANG_XX": "angry",
        "1001_DFA_HAP_XX": "happy",
        "1001_DFA_NEU_XX": "neutral",
    }
    assert sorted(ravdess["emotion"]) == ["angry", "fear", "neutral"]
    assert ravdess.set_index("clip").loc["01-01-05-02-02-01-01", ["actor", "sex", "level"]].tolist() == [
        1,
        "male",
        "strong",
    ]


def test_every_frame_of_every_clip_has_a_face(made):
    faces = pd.concat(cutting.read_table(made / corpus / "faces.csv") for corpus in ("cremad", "ravdess"))
    assert faces["frames"].tolist() == faces["frames_with_face"].tolist()
    assert faces.set_index("clip")["frames"].to_dict() | {"01-01-05-02-02-01-01": 123} == {
        "1001_DFA_ANG_XX": 67,
        "1001_DFA_HAP_XX": 56,
        "1001_DFA_NEU_XX": 61,
        "01-01-05-02-02-01-01": 123,
        "01-01-01-01-01-02-04": 101,
        "01-01-06-02-01-02-04": 102,
    }


def test_sequences_are_75_masked_faces(made):
    array, table = cutting.load(made / "cremad")
    assert array.shape == (3, 75, 28, 28, 3)
    assert table["padded"].tolist() == [8, 19, 14]
    corners = array[:, :, [0, -1]][:, :, :, [0, -1]]
    assert corners.mean() < 12 and array[:, :, 10:18, 10:18].mean() > 60  # black outside, a face inside
    longer, transferred = cutting.load(made / "ravdess")
    assert transferred["first_frame"].tolist() == [0, 0, 0] and transferred["padded"].sum() == 0


def test_a_study_on_openface_faces_differs_in_the_pixels_only(made, real_data, tmp_path, monkeypatch):
    """The same steps with the backend `openface`: the same clips, windows and labels, faces alike but not equal."""
    content = yaml.safe_load((CONFIG / "paper.yaml").read_text())
    content |= {"assumptions": {"face_backend": "openface"}, "openface_folder": str(real_data / "openface")}
    config = tmp_path / "openface.yaml"
    config.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    for step in ("list-clips", "mask-faces", "cut-sequences"):
        given = [step, "--study", str(config), "--corpus", "cremad", "--cremad", str(real_data / "cremad")]
        assert main([*given, "--cores", "2"]) == 0
    folder = tmp_path / "data" / "paper" / "cremad"
    for name in ("clips.csv", "faces.csv", "sequences.csv"):
        assert (folder / name).read_bytes() == (made / "cremad" / name).read_bytes()
    theirs, ours = (cutting.load(where)[0].astype(int) for where in (folder, made / "cremad"))
    difference = abs(theirs - ours).mean()
    assert theirs.shape == ours.shape and 0 < difference < 5
