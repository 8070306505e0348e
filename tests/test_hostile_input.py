"""Hostile input: about 4,000 broken, odd and malicious inputs to the readers, the same ones on every run.

`make test` takes a fifth of them, `make test-all` every one.

Whatever a reader is given, it gives data, or says in an InputProblem what is wrong; it does not crash, hang, or
write outside its folder. What decodes natively (FFmpeg, HDF5) is read in a process of its own.
"""

import contextlib
import copy
import io
import json
import os
import resource
import signal
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from lib.base.problems import InputProblem
from lib.corpora import cremad, ravdess, records
from lib.corpora.obtain import cremad as cremad_source
from lib.corpora.obtain import ravdess as ravdess_source
from lib.corpora.pointers import read_pointer
from lib.faces import corpus, models, openface
from lib.sequences import cutting
from lib.study import study
from lib.study.metrics import read_metrics
from lib.training import checkpoint
from lib.training.checkpoint import State

SECONDS = 10  # for one input; all of them take well under one on an idle machine
MEMORY = 8 << 30  # bytes of addresses; a reader that believes a header's terabytes runs into it
_WATCHED: list[Path] = []  # the folder in which writing is allowed now
_STRAY: list[str] = []
_WRITES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.link", "os.truncate", "shutil.rmtree"}


def _audit(event, arguments):
    if not _WATCHED or (event != "open" and event not in _WRITES):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        return
    path = arguments[0]
    if not isinstance(path, str | bytes | os.PathLike):  # an open descriptor
        return
    relative_to = [a for a in arguments[1:] if event in _WRITES and isinstance(a, int) and a > 2]  # rmtree's dir_fd
    base = f"/proc/self/fd/{relative_to[0]}" if relative_to and event != "os.mkdir" else ""
    place = os.path.realpath(os.path.join(base, os.fsdecode(path)))
    if place != str(_WATCHED[-1]) and not place.startswith((f"{_WATCHED[-1]}{os.sep}", "/dev/")):
        _STRAY.append(f"{event} {place}")


sys.addaudithook(_audit)  # cannot be taken away again; without a watched folder it does nothing


class Hang(BaseException):
    """No `except Exception` swallows it."""


@contextlib.contextmanager
def watched(folder):
    """Fail after `SECONDS`, on a file written outside `folder`, and on a reader that wants terabytes of memory."""

    def stop(*_):
        raise Hang

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY + _addresses(), before[1]))
    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    _WATCHED.append(Path(os.path.realpath(folder)))
    try:
        yield
    finally:
        _WATCHED.pop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        resource.setrlimit(resource.RLIMIT_AS, before)
    stray, _STRAY[:] = list(_STRAY), []
    assert not stray


def _addresses():
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux
        return 64 << 30


@pytest.fixture(params=[pytest.param(5, id="sample"), pytest.param(1, id="all", marks=pytest.mark.exhaustive)])
def turns(request):
    """Gives the turns of a loop over a number of inputs: a fifth of them, or each."""
    return lambda count: range(count // request.param)


@pytest.fixture(autouse=True)
def faults():
    """All that a test's readers did wrong, shown together at its end."""
    found: dict[str, object] = {}
    _FAULTS.append(found)
    yield found
    _FAULTS.pop()
    assert not found, "\n".join(f"{fault}: input {note!r}"[:1500] for fault, note in found.items())


_FAULTS: list[dict[str, object]] = []


def survive(folder, read, *arguments, note="", **options):
    """What `read` gives, or the InputProblem it raises; anything else is a fault, which `note` explains."""
    try:
        with watched(folder):
            return read(*arguments, **options)
    except InputProblem as problem:
        if len(str(problem)) > 3000:
            _FAULTS[-1].setdefault("an endless sentence", note)
        return problem
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        _FAULTS[-1].setdefault(f"{type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})", note)
        return InputProblem("", "", "")


# ---------------------------------------------------------------- mutations

NASTY = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "1e308", "1e400", "9" * 30, "-" + "9" * 400, "0x10", "1_0", "١٢", "None",
    "true", "\x00", "\ufeff", "\u202e", "é", "\U0001f600", "'", '"', '""', "\\", "\t", "\r", "\n", ",", ";", "=1+1",
    "../../x", "/etc/passwd", "~", "$HOME", "%s%n", "{}", "[", "!!python/object/apply:os.system [x]", "A" * 5000,
)  # fmt: skip


def mutate(rng, data):
    """`data` (bytes) with a few random faults."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(len(data) + 1))
        length = int(rng.integers(1, 40))
        match rng.integers(7):
            case 0:
                data[at : at + 1] = bytes([rng.integers(256)])
            case 1:
                data = data[:at]
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length]
            case 4:
                data[at:at] = rng.bytes(length)
            case 5:
                data[at : at + 4] = [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"][rng.integers(3)]
            case 6 if at < len(data):
                data[at] ^= 1 << int(rng.integers(8))
    return bytes(data)


def mutate_table(rng, text):
    """A CSV text with nasty cells, lines and encodings, as bytes."""
    lines = [line.split(",") for line in text.split("\n")]
    for _ in range(rng.integers(1, 5)):
        row = lines[rng.integers(len(lines))]
        column = int(rng.integers(len(row)))
        match rng.integers(6):
            case 0 | 1:
                row[column] = NASTY[rng.integers(len(NASTY))]
            case 2:
                del row[column:]
                row.append("")
            case 3:
                row.append(NASTY[rng.integers(len(NASTY))])
            case 4:
                lines.insert(int(rng.integers(len(lines))), list(row))
            case 5:
                lines[0][rng.integers(len(lines[0]))] = NASTY[rng.integers(len(NASTY))]
    text = "\n".join(",".join(row) for row in lines)
    encoded = text.encode(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"][rng.integers(5)])
    return mutate(rng, encoded) if rng.random() < 0.2 else encoded


def mutate_tree(rng, tree):
    """A copy of nested dicts and lists with nodes replaced, deleted, doubled or renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.integers(1, 4)):
        node = tree
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = keys[rng.integers(len(keys))]
            if isinstance(node[key], dict | list) and node[key] and rng.random() < 0.7:
                node = node[key]
                continue
            values = [*NASTY, None, True, -1, 0, 1.5, float("nan"), float("inf"), 10**30, [], {}, [[]], {"a": {"b": 1}}]
            value = values[rng.integers(len(values))]
            match rng.integers(4):
                case 0 | 1:
                    node[key] = value
                case 2:
                    del node[key]
                case 3 if isinstance(node, dict):
                    node[str(value)] = node.pop(key)
                case 3:
                    node.append(value)
            break
    return tree


def seeded(*key):
    return np.random.default_rng([2021, *key])


# ---------------------------------------------------------------- file names


def odd_names(rng, good, count):
    """File names near `good` ones, as bytes, since a file system knows no encoding."""
    names = set()
    while len(names) < count:
        name = good[rng.integers(len(good))].encode()
        match rng.integers(5):
            case 0:
                name = mutate(rng, name)
            case 1:
                name = name.replace(b"0", "٠".encode(), 1)  # a digit, but no ASCII one
            case 2:
                at = rng.integers(len(name))
                name = name[:at] + NASTY[rng.integers(len(NASTY))].encode()[:60] + name[at:]
            case 3:
                name = name.swapcase()
            case 4:
                name = rng.bytes(int(rng.integers(1, 30)))
        name = name.replace(b"/", b"|").replace(b"\x00", b"0")[:200]
        if name not in (b"", b".", b".."):
            names.add(name)
    return sorted(names)


@pytest.mark.parametrize("corpus", [cremad, ravdess], ids=lambda corpus: corpus.NAME)
def test_file_names(tmp_path, corpus, turns):
    """500 names each: every file is used, listed, or hidden; those outside the scheme are never used."""
    good = {
        "cremad": ["1001_DFA_ANG_XX.flv", "1091_IEO_SAD_HI.flv", "9001_WSI_NEU_XX.flv"],
        "ravdess": ["01-01-05-02-02-01-01.mp4", "01-01-01-01-01-02-24.mp4"],
    }[corpus.NAME]
    for turn in turns(10):
        folder = tmp_path / str(turn)
        inside = folder / ("VideoFlash" if corpus is cremad else "Actor_01")
        inside.mkdir(parents=True)
        contents = [
            b"",
            b"video",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n",
        ]
        rng = seeded(1, turn)
        made = 0
        for name in odd_names(rng, good, 50):
            try:
                with open(os.path.join(os.fsencode(inside), name), "wb") as file:
                    file.write(contents[rng.integers(3)])
                made += not name.startswith(b".")
            except OSError:  # a name that this file system does not take
                continue
        result = survive(folder, corpus.list_clips, folder, note=turn)
        if isinstance(result, InputProblem):
            continue
        clips, problems = result
        for row in clips.itertuples():
            corpus.parse_name(row.clip)
            assert Path(row.path).is_file()
        if corpus is cremad:
            listed = [p for p in problems if not p.file.endswith("VideoDemographics.csv")]
            assert len(clips) + len(listed) == made


# ---------------------------------------------------------------- tables and texts

DEMOGRAPHICS = (
    '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n1002,21,"Female","A","B"\n'
)
MANIFEST = "file,sha256,bytes\n" + "".join(f"100{i}_DFA_ANG_XX.flv,{'ab' * 32},{300 + i}\n" for i in range(4))
FILES = "file,bytes,sha256,archive,archive_md5\n" + "".join(
    f"Actor_01/01-01-05-02-02-01-0{i}.mp4,{i},{'cd' * 32},Video_Speech_Actor_01.zip,md5:{'0' * 32}\n" for i in range(4)
)
RECORD = "archive,bytes,checksum\n" + f"Video_Speech_Actor_01.zip,1000,md5:{'0' * 32}\n" * 3
VOTES = '"","A","D","F","H","N","S","fileName"\n' + "".join(
    f"{i}00001,1,2,3,4,5,6,1001_DFA_ANG_XX\n" for i in (1, 2, 3)
)
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 265922\n"
METRICS = json.dumps({"accuracy": 0.5, "cells": [{"layers": 5}], "name": "x"})


def features_table():
    columns = ["frame", "face_id", "timestamp", "confidence", "success"]
    columns += [f"{axis}_{point}" for axis in "xy" for point in range(68)]
    rows = [[frame, 0, frame / 30, 0.98, 1, *range(136)] for frame in range(1, 5)]
    return "\n".join([", ".join(columns), *(", ".join(map(str, row)) for row in rows)]) + "\n"


def ledger(path):
    found = ravdess_source.Ledger(path.parent)
    root = path.parent.resolve()
    assert all(remote.path.resolve().is_relative_to(root) for remote in found.remotes())
    return found.complete(("01",))


def manifest(path):
    found = cremad_source.load_manifest(path)
    assert all("/" not in name and pointer.bytes >= 0 for name, pointer in found.items())
    return found


TEXTS = {
    "demographics": ("VideoDemographics.csv", DEMOGRAPHICS, cremad.read_demographics, 300),
    "manifest": (cremad_source.MANIFEST, MANIFEST, manifest, 300),
    "ledger": (ravdess_source.FILES, FILES, ledger, 150),
    "record": (ravdess_source.PUBLISHED, RECORD, lambda path: ravdess_source.load_published(path.parent), 150),
    "openface": ("clip.csv", features_table(), openface.read_features, 150),
    "pointer": ("1001_DFA_ANG_XX.flv", POINTER, read_pointer, 200),
    "metrics": ("metrics.json", METRICS, lambda path: read_metrics(path.parent), 200),
    "votes": ("tabulatedVotes.csv", VOTES, records._read_votes, 150),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_tables_and_texts(tmp_path, kind, turns):
    name, text, read, count = TEXTS[kind]
    path = tmp_path / name
    path.write_text(text)
    assert not isinstance(survive(tmp_path, read, path), InputProblem)  # the unbroken one is read
    rng = seeded(2, list(TEXTS).index(kind))
    for turn in turns(count):
        content = mutate_table(rng, text) if turn % 3 else mutate(rng, text.encode())
        path.write_bytes(content)
        survive(tmp_path, read, path, note=content[:2000])


# ---------------------------------------------------------------- a study's file

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB, BOMB.replace("i: &i", "study: &i"), "grid: " + "[" * 5000, "{" * 5000, "a: &a [*a]", "? [a]\n: b",
        "a: *b", "study: !!python/object/apply:os.system ['touch x']", "\x00",
        "study: \ud800".encode("utf-8", "surrogatepass"),
        "study: 2024-13-45", "study: 0x" + "f" * 100_000, "<<: 1", "&a a: *a", "study: " + "9" * 5000, b"\xff\xfe\x00",
    ],
    ids=range(16),
)  # fmt: skip
def test_config_by_hand(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert isinstance(survive(tmp_path, study.load, path, note=text[:100]), InputProblem)


def test_config(tmp_path, turns):
    good = study.config_file("sample").read_text()
    tree = yaml.safe_load(good)
    path = tmp_path / "study.yaml"
    rng = seeded(3)
    refused = 0
    for turn in turns(300):
        if turn % 3:
            content = yaml.safe_dump(mutate_tree(rng, tree), sort_keys=False, allow_unicode=True).encode()
        else:
            content = mutate(rng, good.encode())
        path.write_bytes(content)
        result = survive(tmp_path, study.load, path, note=content[:3000])
        refused += isinstance(result, InputProblem)
        if not isinstance(result, InputProblem):
            assert all(cell.run == Path(cell.run).name for cell in result.grid)
            assert result.name == Path(result.name).name
    assert refused > len(turns(300)) / 2


# ---------------------------------------------------------------- arrays


def header(shape, dtype="|u1"):
    out = io.BytesIO()
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    out.write(b"\x93NUMPY\x01\x00" + (len(text) + 1).to_bytes(2, "little") + text + b"\n")
    return out.getvalue()


HEADERS = [
    header("(1000000000000,)"), header("(-1,)"), header("(4, 28, 28, 3)", "|O"), header("(4, 28, 28, 3)", "<f8"),
    header("()"), header("(2**70,)"), header("(3,)", "<U100000000"), header("__import__('os')"), b"", b"\x93NUMPY",
    header("(0,)"), header("(4, 28, 28, 3)", "V5"),
]  # fmt: skip


def mutate_npz(rng, arrays):
    """An .npz whose members are replaced, lost, of another shape, or whose bytes are disturbed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        broken = rng.permutation(list(arrays))[: rng.integers(0, 3)]
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            content = member.getvalue()
            if name in broken:
                match rng.integers(5):
                    case 0:
                        continue
                    case 1:
                        content = HEADERS[rng.integers(len(HEADERS))] + rng.bytes(100)
                    case 2:
                        content = mutate(rng, content)
                    case 3:
                        member = io.BytesIO()
                        values = [
                            np.array([]),
                            np.array(np.nan),
                            np.array(["x"]),
                            np.arange(5) - 3,
                            np.array([10**15] * 3),
                        ]
                        np.lib.format.write_array(member, values[rng.integers(5)])
                        content = member.getvalue()
                    case 4:
                        name = NASTY[rng.integers(len(NASTY))].replace("\x00", "0")[:100]
            archive.writestr((name or "x") + ".npy", content)
    return mutate(rng, out.getvalue()) if rng.random() < 0.4 else out.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_masked_faces_of_an_earlier_run(tmp_path, turns):
    """A damaged file is masked anew, or taken if what it tells is whole."""
    rng = seeded(13)
    given, out = tmp_path / "openface", tmp_path / "faces"
    (given / "a_aligned").mkdir(parents=True)
    (given / "a.csv").write_text(features_table())
    for frame in range(1, 5):
        picture = rng.integers(0, 256, (112, 112, 3), dtype=np.uint8)
        cv2.imwrite(str(given / "a_aligned" / f"frame_det_00_{frame:06d}.bmp"), picture)
    clips = pd.DataFrame({"clip": ["a"], "path": ["a.flv"], "actor": [1]})
    options = {"backend": "openface", "openface_folder": given, "processes": 1, "progress": False}
    first = corpus.mask_corpus(clips, out, **options)
    with np.load(out / "1.npz") as file:
        arrays = dict(file)
    for turn in turns(150):
        (out / "1.npz").write_bytes(mutate_npz(rng, arrays))
        table = survive(tmp_path, corpus.mask_corpus, clips, out, **options, note=turn)
        assert list(table.columns) == list(first.columns)
        assert len(table) == 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_masked_faces(tmp_path, turns):
    rng = seeded(4)
    pictures = rng.integers(0, 256, (80, 28, 28, 3), dtype=np.uint8)
    arrays = {"faces": pictures, "clips": np.array(["a", "b"]), "offsets": np.array([0, 40, 80])}
    arrays["success"] = np.ones(80, dtype=bool)
    clips = pd.DataFrame(
        {"clip": ["a", "b"], "actor": 1, "emotion": "sad", "sentence": "", "level": "", "sex": "", "age": 1}
    )
    table = pd.DataFrame({"clip": ["a", "b"], "frames": 40, "frames_with_face": 40})
    settings = study.load("sample").settings
    path, out = tmp_path / "1.npz", tmp_path / "sequences.npy"
    for turn in turns(250):
        content = mutate_npz(rng, arrays)
        path.write_bytes(content)
        survive(tmp_path, cutting.cut, clips, table, tmp_path, out, settings, "windows", note=turn)
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert left == {"1.npz", "sequences.npy", cutting.LEFT_OUT}


def test_sequences(tmp_path, turns):
    rng = seeded(5)
    np.save(tmp_path / "good.npy", rng.integers(0, 256, (2, 75, 28, 28, 3), dtype=np.uint8))
    array = (tmp_path / "good.npy").read_bytes()
    table = (
        "sequence,clip,window,first_frame,frames,padded,frames_with_face,label\n0,a,0,0,75,0,75,1\n1,b,0,0,75,0,75,1\n"
    )
    for turn in turns(200):
        head = HEADERS[turn % len(HEADERS)] if turn % 4 == 0 else mutate(rng, array[:128])
        (tmp_path / "sequences.npy").write_bytes(head + array[128:])
        (tmp_path / "sequences.csv").write_bytes(mutate_table(rng, table) if turn % 2 else table.encode())
        survive(tmp_path, cutting.load, tmp_path, note=head[:200])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_checkpoints(tmp_path, turns):
    """A checkpoint that cannot be read is passed over; the one before it is taken."""
    rng = seeded(6)
    state = State("mine", np.zeros((1, 4)), [np.ones((3, 4))], [np.ones((3, 4))], [np.ones(5)])
    with checkpoint.locked_folder(tmp_path):
        checkpoint.save(state, tmp_path)
    arrays = dict(np.load(tmp_path / "epoch-0001.npz"))
    arrays["history"] = np.zeros((2, 4))
    for turn in turns(150):
        (tmp_path / "epoch-0002.npz").write_bytes(mutate_npz(rng, arrays))
        found = survive(tmp_path, checkpoint.newest, tmp_path, state, 5, note=turn)
        assert found.epoch in (1, 2)


# ---------------------------------------------------------------- model files and archives


def test_landmark_models(tmp_path, turns):
    rng = seeded(7)
    for _ in turns(100):
        for name in models.MODELS:
            (tmp_path / name).write_bytes(mutate(rng, b"\x1c\x00\x00\x00TFL3" + rng.bytes(500)))
        assert isinstance(survive(tmp_path, models.check_models, tmp_path), InputProblem)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives(tmp_path, turns):
    """Entries of any name; nothing is unpacked but the actor's clips."""
    rng = seeded(8)
    path, out = tmp_path / "Video_Speech_Actor_01.zip", tmp_path / "out"
    good = [f"Actor_01/0{m}-01-0{e}-01-01-01-01.mp4" for m in (1, 2) for e in (1, 5, 8)]
    for turn in turns(100):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            names = [*good[:3], *(os.fsdecode(n) for n in odd_names(rng, good, 2))] if turn % 2 else good
            for name in names:
                info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
                info.external_attr = int(rng.integers(2**32)) if rng.random() < 0.3 else 0
                archive.writestr(info, b"video")
        path.write_bytes(mutate(rng, content.getvalue()) if turn % 3 == 0 else content.getvalue())
        survive(out, ravdess_source.unpack, path, out, ("01", "02"), note=turn)
    assert {p.name for p in out.iterdir()} == {"Actor_01"}
    for file in (out / "Actor_01").iterdir():
        ravdess.parse_name(file.stem)


# ---------------------------------------------------------------- pictures and videos

READ_ALL = """
import sys
from pathlib import Path
from lib.base.problems import InputProblem
import resource
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]), int(sys.argv[3])))
if sys.argv[1] == "video":
    from lib.faces.video import read_frames
    read = lambda path: sum(1 for _ in read_frames(path))
else:
    from lib.training.loop import load_model as read
    from test_hostile_input import make_networks
    make_networks(Path(sys.argv[2]), int(sys.argv[4]))
for path in sorted(Path(sys.argv[2]).iterdir()):
    print(path.name, end=" ", flush=True)
    try:
        result = read(path)
        print("read", flush=True)
    except InputProblem as problem:
        assert len(str(problem)) < 3000
        print("problem", flush=True)
"""


def read_all(kind, folder, memory, count=0):
    """Read all files of `folder`, or `count` networks made there, in a process with that much memory; its answers."""
    command = [sys.executable, "-c", READ_ALL, kind, str(folder), str(memory), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=300, cwd=folder.parent, env=environment
    )  # fmt: skip
    answers = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    last = done.stdout.splitlines()[-1] if done.stdout else "the first"
    assert done.returncode == 0, f"{last}: {done.stderr[-2000:]}"
    assert len(answers) == len(list(folder.iterdir()))
    assert not (folder.parent.parent / "escaped").exists()
    assert {p.name for p in folder.parent.iterdir()} <= {folder.name, "clip.flv", "clip.mp4", "clip.avi"}
    return list(answers.values())


def tiny_clip(path, fourcc):
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*fourcc), 30000 / 1001, (64, 48))
    assert writer.isOpened()
    rng = seeded(9)
    for _ in range(12):
        writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path.read_bytes()


def test_videos(tmp_path, turns):
    """Headers and bodies of FLV, MP4 and AVI files."""
    clips = [
        tiny_clip(tmp_path / f"clip.{kind}", code) for kind, code in [("flv", "FLV1"), ("mp4", "mp4v"), ("avi", "MJPG")]
    ]
    if os.environ.get("REAL_DATA"):
        real = sorted(Path(os.environ["REAL_DATA"]).glob("cremad/VideoFlash/*.flv"))
        clips += [path.read_bytes()[:60_000] for path in real[:1]]
    folder = tmp_path / "videos"
    folder.mkdir()
    rng = seeded(10)
    for turn in turns(300):
        clip = clips[turn % len(clips)]
        if turn % 4 < 3:  # where the lengths, sizes and codecs stand
            head = mutate(rng, clip[:200])
            tail = mutate(rng, clip[-1500:]) if turn % 4 == 1 else clip[-1500:]  # MP4 keeps its index at the end
            clip = head + clip[200:-1500] + tail
        else:
            clip = mutate(rng, clip)
        suffix = ["flv", "mp4", "avi"][rng.integers(3)]
        (folder / f"{turn:03d}.{suffix}").write_bytes(clip)
    answers = read_all("video", folder, MEMORY)
    assert answers.count("read") > len(answers) / 10
    assert answers.count("problem") > len(answers) / 10


def test_pictures(tmp_path, turns):
    rng = seeded(11)
    (tmp_path / "clip_aligned").mkdir()
    path = tmp_path / "clip_aligned" / "frame_det_00_000001.bmp"
    _, encoded = cv2.imencode(".bmp", rng.integers(0, 256, (112, 112, 3), dtype=np.uint8))
    for turn in turns(150):
        content = encoded.tobytes()
        path.write_bytes(mutate(rng, content[:60]) + content[60:])
        survive(tmp_path, openface.read_aligned, tmp_path, "clip", np.array([True]), note=turn)


def make_networks(folder, count):
    """`count` archives of Keras, among them ones that name code to run."""
    from lib.training import network

    model = network.build(5, study.load("sample").settings, seed=1, learning_rate=1e-3)
    good = folder / "00.keras"
    model.save(good)
    with zipfile.ZipFile(good) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    rng = seeded(12)
    run = {
        "module": "os",
        "class_name": "system",
        "config": f"touch {folder.parent / 'escaped'}",
        "registered_name": None,
    }
    hostile = [
        run, {"module": "keras.layers", "class_name": "Lambda", "config": {"function": run}},
        {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"},
    ]  # fmt: skip
    for turn in range(1, count):
        parts = dict(members)
        match turn % 4:
            case 0:
                parts["config.json"] = json.dumps(mutate_tree(rng, config)).encode()
            case 1:
                name = sorted(parts)[rng.integers(len(parts))]
                parts[name] = mutate(rng, parts[name])
            case 2:
                with_code = copy.deepcopy(config)
                layers = with_code["config"]["layers"]
                layers[rng.integers(len(layers))] = hostile[rng.integers(3)]
                parts["config.json"] = json.dumps(with_code).encode()
            case 3:
                parts["../../escaped"] = b"x"
                del parts[sorted(parts)[rng.integers(1, len(parts))]]
        path = folder / f"{turn:02d}.keras"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        if turn % 5 == 0:
            path.write_bytes(mutate(rng, path.read_bytes()))


def test_networks(tmp_path, turns):
    """Model files: the whole one is read, the others are problems or networks of the right form; none runs code."""
    folder = tmp_path / "models"
    folder.mkdir()
    answers = read_all("network", folder, 64 << 30, len(turns(60)))  # TensorFlow reserves addresses that it never uses
    assert answers[0] == "read"
    assert answers.count("problem") > len(answers) / 2
