"""CREMA-D's records: a clone without its videos tells clips, lengths, actors and votes."""

import hashlib
import shutil
import tarfile

import pandas as pd
import pytest

from lib.base.problems import InputProblem
from lib.corpora import listing, records
from lib.corpora.obtain import cremad
from lib.measures import votes
from lib.sequences import lengths, splits

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


@pytest.fixture(scope="module")
def clips():
    return records.clips()


def make_clone(folder):
    """Three clips of one actor: two pointers whose sounds are the same, and one real file."""
    for name in ("VideoFlash", "AudioWAV", "processedResults"):
        (folder / name).mkdir(parents=True)
    for clip, sound in {"1001_DFA_ANG_XX": "a" * 64, "1001_DFA_HAP_XX": "a" * 64}.items():
        (folder / f"VideoFlash/{clip}.flv").write_text(POINTER.format("b" * 64, 250_000))
        (folder / f"AudioWAV/{clip}.wav").write_text(POINTER.format(sound, 44 + 64_000))
    (folder / "VideoFlash/1001_IEO_SAD_HI.flv").write_bytes(b"FLV" * 100_000)
    (folder / "AudioWAV/1001_IEO_SAD_HI.wav").write_bytes(b"\0" * (44 + 32_000))
    (folder / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
    )
    (folder / "processedResults/tabulatedVotes.csv").write_text(
        '"","A","D","F","H","N","S","fileName"\n'
        '"100001",9,0,0,0,0,0,"1001_DFA_ANG_XX"\n'
        '"200002",0,0,0,8,1,0,"1001_DFA_HAP_XX"\n"200001",5,2,0,0,3,0,"1001_DFA_ANG_XX"\n'
    )
    return folder


def test_a_clone_is_read_with_pointers_and_with_media(tmp_path):
    read = records.read_clone(make_clone(tmp_path))
    assert read.clips["clip"].tolist() == ["1001_DFA_ANG_XX", "1001_DFA_HAP_XX", "1001_IEO_SAD_HI"]
    assert read.clips["seconds"].tolist() == [2.0, 2.0, 1.0]
    assert read.clips["flv_bytes"].tolist() == [250_000, 250_000, 300_000]
    assert read.clips["flv_sha256"][2] == hashlib.sha256(b"FLV" * 100_000).hexdigest()
    assert read.votes.values.tolist() == [
        ["1001_DFA_ANG_XX", 5, 2, 0, 0, 3, 0],
        ["1001_DFA_HAP_XX", 0, 0, 0, 8, 1, 0],
    ]
    reasons = read.findings.set_index("clip")["reason"]
    assert reasons["1001_DFA_ANG_XX"].endswith("that of 1001_DFA_HAP_XX")
    assert "times the usual size" in reasons["1001_IEO_SAD_HI"]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the committed tables, read in their place."""
    folder = tmp_path / "records"
    shutil.copytree(records.RECORDS, folder)
    for module in (records, cremad, listing):
        monkeypatch.setattr(module, "RECORDS", folder)
    monkeypatch.setattr(splits, "FOLDS", folder / splits.FOLDS.name)
    return folder


READERS = {
    "cremad_clips.csv": [
        lambda folder: records.clips(folder),
        lambda folder: records.recorded(pd.DataFrame({"clip": ["x"], "sha256": ["0"]}), folder),
        lambda folder: cremad.published(folder),
    ],
    "cremad_actors.csv": [lambda folder: records.clips(folder)],
    "cremad_findings.csv": [lambda folder: records.clips(folder), lambda folder: listing._findings(folder.parent)],
    "cremad_votes.csv": [lambda folder: votes.read_votes(folder)],
    "ravdess_frames.csv": [lambda folder: records.committed("ravdess_frames.csv", folder)],
    "cremad_folds_mae_dfer.csv": [
        lambda _: splits.split(pd.DataFrame({"actor": range(1001, 1092)}), "mae-dfer", (5, 1, 2), 1)
    ],
}
HARMS = {
    "a line less": lambda path: path.write_text("".join(path.read_text().splitlines(True)[:-1])),
    "a digit": lambda path: path.write_bytes(path.read_bytes()[:-2] + b"7\n"),
    "missing": lambda path: path.unlink(),
    "no list": lambda path: path.with_name(records.SUMS).unlink(),
    "an empty list": lambda path: path.with_name(records.SUMS).write_text(""),
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", READERS)
def test_a_changed_table_is_refused_by_all_who_read_it(copied, name, harm):
    for read in READERS[name]:
        read(copied)
    HARMS[harm](copied / name)
    for read in READERS[name]:
        with pytest.raises(InputProblem, match="git checkout records") as raised:
            read(copied)
        assert "\n" not in str(raised.value)


def test_every_committed_table_is_listed():
    for path in records.RECORDS.glob("*.csv"):
        assert records.committed(path.name) == path


def test_what_is_written_is_read_again(tmp_path):
    records.write(make_clone(tmp_path / "clone"), tmp_path / "records")
    clips = records.clips(tmp_path / "records")
    assert clips["frames"].tolist() == [60, 60, 30]
    assert clips[["sex", "age"]].values.tolist() == [["male", 51]] * 3


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("AudioWAV/1001_DFA_HAP_XX.wav", "cannot be read"),
        ("VideoDemographics.csv", "is missing"),
        ("processedResults/tabulatedVotes.csv", "is not CREMA-D's table of votes"),
    ],
)
def test_a_hole_in_the_clone_is_named(tmp_path, missing, words):
    (make_clone(tmp_path) / missing).unlink()
    with pytest.raises(InputProblem, match=words):
        records.read_clone(tmp_path)


def test_no_clone_and_bad_names_are_named(tmp_path):
    with pytest.raises(InputProblem, match="holds no clip"):
        records.read_clone(tmp_path)
    make_clone(tmp_path)
    (tmp_path / "VideoFlash/holiday.flv").write_bytes(b"FLV")
    with pytest.raises(InputProblem, match="holiday"):
        records.read_clone(tmp_path)


def test_the_corpus_is_the_published_one(clips):
    assert len(clips) == 7442 and not clips.drop(columns="age").isna().any().any()
    actors = clips.drop_duplicates("actor")
    assert actors["sex"].value_counts().to_dict() == {"male": 48, "female": 43}
    assert (actors["age"].min(), actors["age"].max()) == (20, 74)
    emotions = clips["emotion"].value_counts()
    assert emotions["neutral"] == 1087 and (emotions.drop("neutral") == 1271).all()
    assert clips["level"].value_counts().to_dict() == {"XX": 6077, "LO": 455, "MD": 455, "HI": 455}


def test_twenty_clips_of_the_design_are_missing(clips):
    missing = records.missing_clips(clips)
    assert len(missing) == 20
    groups = missing.groupby(["actor", "sentence"]).size().to_dict()
    assert groups == {(1002, "TIE"): 1, (1076, "ITS"): 1, (1008, "WSI"): 6, (1009, "MTI"): 6, (1019, "ITH"): 6}


def test_bad_and_suspicious_clips_carry_their_reason(clips):
    found = clips[clips["finding"] != ""]
    for kind, known in (("bad", records.BAD), ("mixed", records.MIXED)):
        assert set(found.loc[found["finding"] == kind, "clip"]) == set(known)
    assert len(found) == 11 and (found["reason"] != "").all()
    assert "1047_IEO_SAD_LO" in set(found["clip"])


def test_bins_and_sequences(clips):
    readings = lengths.readings(clips).set_index("estimate")
    assert readings.loc["frames begun"].tolist() == [3702, 3225, 514, 1, 7662, 7680, 7443]
    assert readings["from 110"].to_dict() == {
        "nearest frame": 7680,
        "frames begun": 7680,
        "nearest + 1": 7703,
        "nearest + 2": 7718,
    }
    short = clips["clip"].isin(["1076_MTI_NEU_XX", "1064_TIE_SAD_XX"])  # 3 and 18 frames
    usable = lengths.readings(clips[~short]).set_index("estimate")
    assert usable.loc["nearest + 1", "from 110"] == usable.loc["nearest + 2", "over 110"] == 7701


@pytest.mark.parametrize(("seconds", "nearest", "begun"), [(1.0, 30, 30), (2.5025, 75, 76), (0.0, 0, 1)])
def test_frames_of_a_duration(seconds, nearest, begun):
    given = pd.Series([seconds])
    assert records.frames_of(given)[0] == nearest
    assert records.frames_of(given, "begun")[0] == begun
    with pytest.raises(ValueError, match="unknown estimate"):
        records.frames_of(given, "ceiling")


def test_the_committed_records_are_the_clones(real_data, tmp_path):
    pack = real_data / "cremad" / "crema-d-pointer-clone.tar.xz"
    if not pack.exists():
        pytest.skip("REAL_DATA holds no pointer clone of CREMA-D")
    with tarfile.open(pack) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # not in Debian 12's Python, 3.11.2
        archive.extractall(tmp_path)
    records.write(tmp_path / "CREMA-D", tmp_path / "records")
    for name in ("clips", "actors", "votes", "findings"):
        file = f"cremad_{name}.csv"
        assert (tmp_path / "records" / file).read_bytes() == (records.RECORDS / file).read_bytes()
