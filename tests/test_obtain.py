"""Obtaining the corpora: a local server that breaks off, is slow, lies and sends wrong bytes; odd archives."""

import collections
import errno
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from lib.base.files import telling_unwritable
from lib.base.problems import InputProblem
from lib.corpora.obtain import cremad, files, ravdess, unpacking
from lib.corpora.obtain.__main__ import main
from lib.corpora.obtain.files import Remote
from lib.corpora.obtain.transfer import Retries, download
from lib.corpora.pointers import read_pointer

FAST = Retries(attempts=3, pause=0.01, longest_pause=0.05, connect=2, read=0.4)
GIT = shutil.which("git")


class Site:
    """What the server offers, and how it fails: each request uses up one of `faults[path]`."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.faults = collections.defaultdict(list)
        self.always: dict[str, str] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.lfs_status = 200
        self.address = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    site: Site

    def log_message(self, *_):
        pass

    def do_GET(self):
        site, path = self.site, self.path.split("?")[0]
        site.requests.append((path, self.headers.get("Range")))
        fault = site.faults[path].pop(0) if site.faults[path] else site.always.get(path, "")
        kind, _, value = fault.partition(":")
        if kind == "status":
            return self.answer(int(value), b"busy", {"Retry-After": "0"})
        if path not in site.files:
            return self.answer(404, b"no such file")
        content = site.files[path]
        if kind == "wrong":
            content = bytes(255 - byte for byte in content)
        start = 0
        asked = self.headers.get("Range")
        if asked and not kind.startswith("norange"):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return self.answer(416, b"")
        body = content[start:]
        claimed = len(body) + (int(value) if kind == "claims" else 0)
        self.send_response(206 if start else 200)
        if start:
            shift = int(value) if kind == "shifted" else 0
            self.send_header("Content-Range", f"bytes {start + shift}-{len(content) - 1}/{len(content)}")
        if kind == "endless":
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body + b"more" * 1000)
            self.close_connection = True
            return None
        self.send_header("Content-Length", str(claimed))
        self.end_headers()
        if kind in ("break", "norange-break", "stall"):
            self.wfile.write(body[: int(value)])
            self.wfile.flush()
            if kind == "stall":
                time.sleep(0.8)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif kind == "slow":
            for piece in range(0, len(body), int(value)):
                self.wfile.write(body[piece : piece + int(value)])
                self.wfile.flush()
                time.sleep(0.02)
        else:
            self.wfile.write(body)
            self.close_connection = kind == "claims"
        return None

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.site.requests.append((self.path, f"{len(request['objects'])} objects"))
        if self.path.startswith("/refusing"):
            return self.answer(403, b'{"message": "This repository exceeded its LFS budget."}')
        if self.path.startswith("/babbling"):
            return self.answer(200, b"<html>")
        objects = []
        for item in request["objects"]:
            action = {"href": f"{self.site.address}/objects/{item['oid']}", "header": {"X-Token": "t"}}
            known = f"/objects/{item['oid']}" in self.site.files
            found = {"actions": {"download": action}} if known else {"error": {"code": 404, "message": "gone"}}
            objects.append({**item, **found})
        return self.answer(200, json.dumps({"transfer": "basic", "objects": objects}).encode())

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Say nothing of clients that hang up, as a download does that gives up: its connections are reset."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture
def site():
    site = Site()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def noise(size, seed=0):
    return np.random.default_rng([seed, size]).bytes(size)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def fetch(site, folder, content=None, known=True, retries=FAST, name="clip"):
    """Put `content` on the site, fetch it as `folder`/name, and give the problems."""
    content = noise(400_000) if content is None else content
    site.files[f"/{name}"] = content
    remote = Remote(folder / name, len(content), f"sha256:{sha256(content)}") if known else Remote(folder / name)
    problems = download(
        [remote], lambda remote, again: (f"{site.address}/{name}", {}), title="test", retries=retries, progress=False
    )
    if not problems:
        assert remote.path.read_bytes() == content
        assert not remote.part.exists()
    else:
        assert not remote.path.exists()
    return problems


# ---------------------------------------------------------------- one file over a bad line


@pytest.mark.parametrize(
    "faults",
    [
        [],
        ["break:1000"],
        ["break:20000", "break:0", "break:70000", "break:1"],
        ["stall:5000"],
        ["status:503", "status:429"],
        ["break:20000", "norange:"],
        ["break:20000", "norange-break:90000", "norange-break:99000"],
        ["break:20000", "shifted:7"],
        ["wrong:"],
        ["break:20000", "wrong:"],
        ["claims:1000"],
        ["claims:-1000"],
        ["endless:"],
        ["status:403"],
        ["slow:40000"],
    ],
    ids=lambda faults: "+".join(faults) or "clean",
)
def test_file_arrives_whole_over_a_bad_line(site, tmp_path, faults):
    site.faults["/clip"] = list(faults)
    assert fetch(site, tmp_path) == []
    assert not site.faults["/clip"]  # every fault happened


def test_resumes_where_it_broke_off(site, tmp_path):
    site.faults["/clip"] = ["break:100000"]
    fetch(site, tmp_path)
    assert site.requests == [("/clip", None), ("/clip", f"bytes={6 * 16384}-")]


def test_resumes_after_the_process_was_killed(site, tmp_path):
    (tmp_path / ".clip.part").write_bytes(noise(400_000)[:123_456])
    assert fetch(site, tmp_path) == []
    assert site.requests == [("/clip", "bytes=123456-")]


@pytest.mark.parametrize("left", [noise(5, 1), noise(400_000, 1), noise(400_001, 1)])
def test_other_bytes_left_by_a_killed_process_do_not_stay(site, tmp_path, left):
    (tmp_path / ".clip.part").write_bytes(left)
    assert fetch(site, tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("wrong:", "checksum is not the published one"),
        ("claims:1000", "offers 401,000 bytes instead of the published 400,000"),
        ("endless:", "sends more than the published 400,000 bytes"),
        ("status:404", "refused by the server (status 404)"),
        ("status:503", "could not be fetched in 3 attempts (the server answers 503)"),
        ("break:0", "could not be fetched in 3 attempts"),
        ("stall:0", "could not be fetched in 3 attempts"),
    ],
)
def test_what_stays_wrong_is_one_clear_problem(site, tmp_path, fault, says):
    site.always["/clip"] = fault
    (problem,) = fetch(site, tmp_path)
    assert says in str(problem)
    assert str(problem).count(".\n") == 0
    assert len(site.requests) <= 6


def test_no_server_is_one_clear_problem(site, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/clip"
    remote = Remote(tmp_path / "clip", 3, "sha256:00")
    for url in (address, "nonsense", "ftp://127.0.0.1/clip"):
        (problem,) = download([remote], lambda *_, url=url: (url, {}), title="", retries=FAST, progress=False)
        assert isinstance(problem, InputProblem)


def test_a_bad_file_does_not_hinder_the_others(site, tmp_path):
    contents = {f"c{i}": noise(20_000, i) for i in range(12)}
    site.files = {f"/{name}": content for name, content in contents.items()}
    site.always["/c3"] = "wrong:"
    remotes = [Remote(tmp_path / n, len(c), f"sha256:{sha256(c)}") for n, c in contents.items()]
    problems = download(
        remotes, lambda r, _: (f"{site.address}/{r.path.name}", {}), title="", retries=FAST, progress=False
    )
    assert [problem.file for problem in problems] == [str(tmp_path / "c3")]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(set(contents) - {"c3"})


def test_after_ten_failures_in_a_row_the_rest_is_given_up(site, tmp_path):
    remotes = [Remote(tmp_path / f"c{i}", 5, "sha256:00") for i in range(200)]
    with pytest.raises(InputProblem, match="10 files in a row could not be fetched; the last one is refused"):
        download(remotes, lambda r, _: (f"{site.address}/none", {}), title="", retries=FAST, progress=False)
    assert len(site.requests) < 60


def test_a_folder_that_cannot_be_written_is_one_problem(site, tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(InputProblem, match="cannot be written"):
        fetch(site, tmp_path / "folder")
    with pytest.raises(InputProblem, match="cannot be written"), files.locked_folder(tmp_path / "folder"):
        pass


def test_full_disk_is_one_problem_and_nothing_finished_is_lost(site, tmp_path, monkeypatch):
    assert fetch(site, tmp_path, name="first") == []
    full = os.open("/dev/full", os.O_WRONLY) if os.path.exists("/dev/full") else None
    if full is None:
        pytest.skip("this system has no /dev/full")
    os.close(full)
    (tmp_path / ".clip.part").symlink_to("/dev/full")
    with pytest.raises(InputProblem, match="the disk is full"):
        fetch(site, tmp_path)
    assert (tmp_path / "first").read_bytes() == noise(400_000)


def test_too_little_disk_space_is_reported_before_anything_starts(tmp_path):
    with pytest.raises(InputProblem, match=r"needs 1000000000\.0 GB, and .* are free; free another .* with --to"):
        files.check_space(tmp_path / "not" / "yet", 1e18)
    files.check_space(tmp_path, 0)


def test_two_downloads_into_one_folder_do_not_mix(tmp_path):
    with (
        files.locked_folder(tmp_path),
        pytest.raises(InputProblem, match="another download into this folder is running"),
        files.locked_folder(tmp_path),
    ):
        pass


# ---------------------------------------------------------------- CREMA-D


def pointer_text(content):
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(content)}\nsize {len(content)}\n"


@pytest.fixture(autouse=True)
def recorded(tmp_path_factory, monkeypatch):
    """CREMA-D's records of no clip; called with contents by file name, of those."""
    folder = tmp_path_factory.mktemp("records")
    monkeypatch.setattr(cremad, "RECORDS", folder)

    def record(clips):
        rows = [f"{name.removesuffix('.flv')},{len(content)},{sha256(content)}" for name, content in clips.items()]
        (folder / "cremad_clips.csv").write_text("\n".join(["clip,flv_bytes,flv_sha256", *rows, ""]))

    record({})
    return record


@pytest.fixture
def repository(site, tmp_path):
    """A git repository in CREMA-D's layout, whose videos the site offers; its clips by name."""
    if GIT is None:
        pytest.skip("git is not installed")
    root = tmp_path / "origin"
    clips = {}
    for actor in (1001, 1002):
        for i, name in enumerate(["DFA_ANG_XX", "IEO_HAP_LO", "TIE_NEU_XX"]):
            clips[f"{actor}_{name}.flv"] = noise(30_000 + 1000 * i, actor)
    for name, content in clips.items():
        for folder, suffix in (("VideoFlash", ".flv"), ("AudioWAV", ".wav")):
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / name.replace(".flv", suffix)).write_text(pointer_text(content))
        site.files[f"/objects/{sha256(content)}"] = content
    (root / "processedResults").mkdir()
    (root / "processedResults" / "tabulatedVotes.csv").write_text("A,D\n1,2\n")
    (root / "VideoDemographics.csv").write_text("ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n")
    # A hostile repository would reach outside through a link.
    (root / "VideoFlash" / "9003_DFA_ANG_XX.flv").symlink_to(tmp_path / "outside")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "corpus"]):
        subprocess.run([GIT, "-C", str(root), *command], check=True, capture_output=True)
    return f"file://{root}", clips


def obtain_cremad(site, repository, folder, lfs="lfs", **options):
    servers = [f"{site.address}/{server}" for server in lfs.split()]
    return cremad.obtain(
        folder, repositories=[repository], lfs=servers, retries=FAST, progress=False, **options
    )  # fmt: skip


def test_cremad_from_nothing(site, repository, tmp_path):
    url, clips = repository
    folder = tmp_path / "cremad"
    for content in list(clips.values())[:3]:
        site.faults[f"/objects/{sha256(content)}"] = ["break:17000", "status:503"]
    problems = obtain_cremad(site, url, folder)
    assert [problem.file.split("/")[-1] for problem in problems] == ["9003_DFA_ANG_XX.flv"]
    for name, content in clips.items():
        assert (folder / "VideoFlash" / name).read_bytes() == content
    assert (folder / "processedResults" / "tabulatedVotes.csv").is_file()
    assert (folder / "VideoDemographics.csv").is_file()
    assert not (folder / "AudioWAV").exists()
    assert not (tmp_path / "outside").exists()
    assert not (folder / "VideoFlash" / "9003_DFA_ANG_XX.flv").is_symlink()
    assert not list(folder.glob(".clone.*"))


def test_cremad_again_verifies_and_fetches_only_what_is_wrong(site, repository, tmp_path):
    url, clips = repository
    folder = tmp_path / "cremad"
    obtain_cremad(site, url, folder)
    site.requests.clear()
    obtain_cremad(site, url, folder)
    assert site.requests == []
    names = sorted(clips)
    (folder / "VideoFlash" / names[0]).unlink()
    (folder / "VideoFlash" / names[1]).write_bytes(clips[names[1]][:-1])
    (folder / "VideoFlash" / names[2]).write_bytes(clips[names[2]][:-1] + b"?")
    (folder / "VideoFlash" / names[3]).write_text(pointer_text(clips[names[3]]))
    obtain_cremad(site, url, folder)
    assert {name: (folder / "VideoFlash" / name).read_bytes() for name in clips} == clips
    assert sorted(path for path, asked in site.requests if path.startswith("/objects")) == sorted(
        f"/objects/{sha256(clips[name])}" for name in names[:4]
    )


def test_cremad_completes_a_pointer_clone_without_git(site, tmp_path):
    """The GitHub zip, or a clone without git-lfs: the most common complaint of the corpus' users."""
    content = noise(10_000)
    video = tmp_path / "VideoFlash" / "1001_DFA_ANG_XX.flv"
    video.parent.mkdir()
    video.write_text(pointer_text(content))
    site.files[f"/objects/{sha256(content)}"] = content
    assert obtain_cremad(site, "file:///nowhere", tmp_path) == []
    assert video.read_bytes() == content
    assert read_pointer(video) is None


def test_cremad_actors_and_parts(site, repository, tmp_path):
    url, clips = repository
    obtain_cremad(site, url, tmp_path / "cremad", actors=[1002])
    real = {p.name for p in (tmp_path / "cremad" / "VideoFlash").iterdir() if read_pointer(p) is None}
    assert real == {name for name in clips if name.startswith("1002")} | {"9003_DFA_ANG_XX.flv"}
    with pytest.raises(InputProblem, match="no pointer of a wanted clip"):
        obtain_cremad(site, url, tmp_path / "cremad", actors=[1])


def test_cremads_records_win_over_a_mirrors_pointers(site, repository, recorded, tmp_path, caplog):
    """The mirror names other videos, gives them out, and lacks a clip."""
    url, clips = repository
    folder = tmp_path / "cremad"
    right = clips | {"1001_DFA_ANG_XX.flv": noise(9_000, 5), "1001_ITS_SAD_XX.flv": noise(9_000, 6)}
    recorded(right)
    missing = {problem.file.split("/")[-1] for problem in obtain_cremad(site, url, folder)}
    assert missing == {"9003_DFA_ANG_XX.flv", "1001_DFA_ANG_XX.flv", "1001_ITS_SAD_XX.flv"}
    assert "1 pointers name other videos than CREMA-D's records" in caplog.text
    assert read_pointer(folder / "VideoFlash/1001_DFA_ANG_XX.flv") is not None
    (folder / "VideoFlash/1001_DFA_ANG_XX.flv").write_bytes(clips["1001_DFA_ANG_XX.flv"])  # and as a video
    site.files |= {f"/objects/{sha256(content)}": content for content in right.values()}
    assert [problem.file.split("/")[-1] for problem in obtain_cremad(site, url, folder)] == ["9003_DFA_ANG_XX.flv"]
    assert {name: (folder / "VideoFlash" / name).read_bytes() for name in right} == right


def test_a_loop_of_links_is_replaced_by_the_video(site, recorded, tmp_path):
    clips = {"1001_DFA_ANG_XX.flv": noise(9_000), "1002_DFA_ANG_XX.flv": noise(8_000)}
    recorded(clips)
    (tmp_path / "VideoFlash").mkdir()
    for name, other in zip(clips, reversed(clips), strict=True):
        (tmp_path / "VideoFlash" / name).symlink_to(tmp_path / "VideoFlash" / other)
        site.files[f"/objects/{sha256(clips[name])}"] = clips[name]
    assert obtain_cremad(site, "file:///nowhere", tmp_path) == []
    assert {name: (tmp_path / "VideoFlash" / name).read_bytes() for name in clips} == clips


@pytest.mark.parametrize("first", ["refusing", "babbling"])
def test_cremad_goes_on_with_the_mirror(site, repository, tmp_path, caplog, first):
    url, clips = repository
    obtain_cremad(site, url, tmp_path / "cremad", lfs=f"{first} lfs")
    assert (tmp_path / "cremad" / "VideoFlash" / "1001_DFA_ANG_XX.flv").read_bytes() == clips["1001_DFA_ANG_XX.flv"]
    if first == "refusing":
        assert "exceeded its LFS budget" in caplog.text
    assert sum(path.startswith(f"/{first}") for path, _ in site.requests) == 1


def test_cremad_nobody_gives_out_videos(site, repository, tmp_path):
    url, clips = repository
    with pytest.raises(InputProblem, match="no Git-LFS server offers"):
        obtain_cremad(site, url, tmp_path / "cremad", lfs="refusing babbling")
    assert read_pointer(tmp_path / "cremad" / "VideoFlash" / "1001_DFA_ANG_XX.flv") is not None


def test_cremad_one_object_is_gone(site, repository, tmp_path):
    url, clips = repository
    del site.files[f"/objects/{sha256(clips['1001_DFA_ANG_XX.flv'])}"]
    problems = obtain_cremad(site, url, tmp_path / "cremad")
    assert [p.file.split("/")[-1] for p in problems] == ["9003_DFA_ANG_XX.flv", "1001_DFA_ANG_XX.flv"]
    assert "offered by none" in str(problems[1])


def test_cremad_asks_for_many_addresses_at_once(site, tmp_path):
    for i in range(250):
        content = noise(50, i)
        site.files[f"/objects/{sha256(content)}"] = content
        path = tmp_path / "VideoFlash" / f"{1000 + i}_DFA_ANG_XX.flv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(pointer_text(content))
    assert obtain_cremad(site, "file:///nowhere", tmp_path) == []
    batches = [asked for path, asked in site.requests if path.endswith("/objects/batch")]
    assert sorted(batches) == ["100 objects", "100 objects", "50 objects"]


def test_cremad_repository_that_cannot_be_cloned(tmp_path):
    if GIT is None:
        pytest.skip("git is not installed")
    with pytest.raises(InputProblem, match="could not be cloned"):
        cremad.obtain(tmp_path, repositories=[f"file://{tmp_path}/nowhere", "--upload-pack=touch x"], retries=FAST)
    assert not (tmp_path / "VideoFlash").exists()


@pytest.mark.parametrize(
    "text",
    ["", "file,sha256\n", "file,sha256,bytes\n../x.flv,00,1\n", "file,sha256,bytes\n1001_DFA_ANG_XX.flv,zz,1\n"],
)
def test_cremad_broken_manifest(tmp_path, text):
    path = tmp_path / cremad.MANIFEST
    path.write_text(text)
    with pytest.raises(InputProblem, match="not the list of pointers"):
        cremad.load_manifest(path)


# ---------------------------------------------------------------- RAVDESS


def clip_names(actor, modality, count=60):
    names = [
        f"{modality}-01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}.mp4"
        for emotion in range(1, 9)
        for intensity in (1, 2)
        for statement in (1, 2)
        for repetition in (1, 2)
        if (emotion, intensity) != (1, 2)
    ]
    return names[:count]


def undated(name):
    """The entry `name` with the date of 1980; a bare name gets the time of now."""
    return name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)


def archive(actor=1, entries=None, count=60):
    """Bytes of an archive in the record's layout, with further `entries`; the same at any time of day."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as content:
        content.writestr(undated(f"Actor_{actor:02d}/"), "")
        for modality in ("01", "02"):
            for name in clip_names(actor, modality, count):
                content.writestr(undated(f"Actor_{actor:02d}/{name}"), name.encode() * 20)
        for name, text in (entries or {}).items():
            content.writestr(undated(name), text)
    return out.getvalue()


def publish(site, archives, record=True):
    listed = []
    for actor, content in archives.items():
        name = ravdess.archive_name(actor)
        site.files[f"/records/1188976/files/{name}"] = content
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        listed.append({"key": name, "size": len(content), "checksum": f"md5:{md5}"})
    if record:
        site.files["/api/records/1188976"] = json.dumps({"files": listed}).encode()
    else:
        site.files.pop("/api/records/1188976", None)


def obtain_ravdess(site, folder, **options):
    return ravdess.obtain(
        folder, **{"zenodo": site.address, "retries": FAST, "progress": False, "actors": [1, 2], **options}
    )


def snapshot(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_ravdess_from_nothing_and_again(site, tmp_path):
    publish(site, {1: archive(1), 2: archive(2)})
    site.faults["/records/1188976/files/Video_Speech_Actor_01.zip"] = ["break:20000", "status:503", "break:40000"]
    assert obtain_ravdess(site, tmp_path) == []
    expected = [f"Actor_{a:02d}/{name}" for a in (1, 2) for name in clip_names(a, "01")]
    assert snapshot(tmp_path) == sorted([*expected, ".obtain.lock", "files.csv", "record.csv"])
    site.requests.clear()
    assert obtain_ravdess(site, tmp_path) == []
    assert site.requests == [("/api/records/1188976", None)]
    (tmp_path / expected[0]).write_bytes(b"other")
    assert obtain_ravdess(site, tmp_path) == []
    assert (tmp_path / expected[0]).read_bytes() == clip_names(1, "01")[0].encode() * 20
    assert [path for path, _ in site.requests if path.endswith(".zip")] == [
        "/records/1188976/files/Video_Speech_Actor_01.zip"
    ]


def test_ravdess_all_modalities_later(site, tmp_path):
    publish(site, {1: archive(1)})
    assert obtain_ravdess(site, tmp_path, actors=[1]) == []
    assert obtain_ravdess(site, tmp_path, actors=[1], all_modalities=True, keep_archives=True) == []
    assert len(list((tmp_path / "Actor_01").glob("02-*.mp4"))) == 60
    assert (tmp_path / "Video_Speech_Actor_01.zip").is_file()


def test_ravdess_without_the_record_is_not_verified(site, tmp_path, caplog):
    whole = archive(1)
    publish(site, {1: whole}, record=False)
    site.faults["/records/1188976/files/Video_Speech_Actor_01.zip"] = ["break:20000"]
    for _ in range(2):  # nor the second time, when all files are there
        (problem,) = obtain_ravdess(site, tmp_path, actors=[1])
        assert "Video_Speech_Actor_01.zip: is not verified" in str(problem)
        assert "the record cannot be read" in caplog.text
    assert len(list((tmp_path / "Actor_01").iterdir())) == 60
    site.requests.clear()
    publish(site, {1: whole})
    assert obtain_ravdess(site, tmp_path, actors=[1]) == []
    assert site.requests == [("/api/records/1188976", None)], "it is verified by what was written down"


def test_ravdess_unpacked_from_another_archive_is_fetched_again(site, tmp_path):
    """An archive that a server gave out while the record could not be read."""
    publish(site, {1: archive(1, {"Actor_01/more.txt": "x"})}, record=False)
    assert obtain_ravdess(site, tmp_path, actors=[1])
    site.requests.clear()
    publish(site, {1: archive(1)})
    assert obtain_ravdess(site, tmp_path, actors=[1]) == []
    assert [path.split("/")[-1] for path, _ in site.requests] == ["1188976", "Video_Speech_Actor_01.zip"]


def test_ravdess_remembers_the_record(site, tmp_path):
    good = archive(1)
    publish(site, {1: good})
    site.always["/records/1188976/files/Video_Speech_Actor_01.zip"] = "wrong:"
    (problem,) = obtain_ravdess(site, tmp_path, actors=[1])
    assert "checksum is not the published one" in str(problem)
    del site.files["/api/records/1188976"]
    (problem,) = obtain_ravdess(site, tmp_path, actors=[1])
    assert "checksum is not the published one" in str(problem)
    site.always.clear()
    assert obtain_ravdess(site, tmp_path, actors=[1]) == []


@pytest.mark.parametrize("record", [b"<html>", b"[]", b'{"files": [{"key": 1}]}', b'{"files": []}', b"null"])
def test_ravdess_record_in_another_form(site, tmp_path, record):
    publish(site, {1: archive(1)}, record=False)
    site.files["/api/records/1188976"] = record
    (problem,) = obtain_ravdess(site, tmp_path, actors=[1])
    assert "is not verified" in str(problem)


def test_ravdess_uses_and_keeps_the_users_archive(site, tmp_path):
    publish(site, {1: archive(1), 2: archive(2)})
    (tmp_path / "Video_Speech_Actor_01.zip").write_bytes(archive(1))
    (tmp_path / "Video_Speech_Actor_02.zip").write_bytes(archive(2)[:-50])
    (problem,) = obtain_ravdess(site, tmp_path)
    assert "another checksum" in str(problem)
    assert (tmp_path / "Video_Speech_Actor_01.zip").is_file()
    assert len(list((tmp_path / "Actor_01").iterdir())) == 60
    assert not (tmp_path / "Actor_02").exists()
    assert not any(path.endswith(".zip") for path, _ in site.requests)


def test_ravdess_keeps_verified_archives_when_the_disk_is_full(site, tmp_path, monkeypatch):
    """It is the disk's fault, not the archive's 560 MB; and one sentence for all archives."""

    @contextmanager
    def on_a_full_disk(path):
        with telling_unwritable(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        yield

    publish(site, {1: archive(1), 2: archive(2), 3: archive(3)})
    for actor in (2, 3):  # the user's own
        (tmp_path / f"Video_Speech_Actor_0{actor}.zip").write_bytes(archive(actor))
    monkeypatch.setattr(unpacking, "written_atomically", on_a_full_disk)
    for actors in ([1], [2, 3]):
        with pytest.raises(InputProblem, match="cannot be written, no space is left"):
            obtain_ravdess(site, tmp_path, actors=actors)
    assert (tmp_path / ".archives" / "Video_Speech_Actor_01.zip").read_bytes() == archive(1)
    monkeypatch.undo()
    site.requests.clear()
    assert obtain_ravdess(site, tmp_path, actors=[1, 2, 3]) == []
    assert site.requests == [("/api/records/1188976", None)]


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


HOSTILE = {
    "parent": "../escaped.mp4",
    "deeper": "Actor_01/../../escaped.mp4",
    "absolute": "/tmp/escaped.mp4",
    "backslash": "..\\escaped.mp4",
    "drive": "C:\\escaped.mp4",
    "link": link("Actor_01/01-01-01-01-01-01-01.mp4"),
}


@pytest.mark.parametrize("entry", HOSTILE.values(), ids=HOSTILE)
def test_archive_that_reaches_outside_is_refused(site, tmp_path, entry):
    folder = tmp_path / "corpora" / "ravdess"
    publish(site, {1: archive(1, {entry: "/etc/passwd"})}, record=False)
    (problem,) = obtain_ravdess(site, folder, actors=[1])
    assert "points outside its folder" in str(problem) or "is a link" in str(problem)
    assert snapshot(tmp_path) == ["corpora/ravdess/.obtain.lock"]


def test_archive_with_strange_or_missing_entries(tmp_path):
    path = tmp_path / "Video_Speech_Actor_01.zip"
    strange = {
        "__MACOSX/._x": "",
        "Actor_02/01-01-01-01-01-01-02.mp4": "",
        "Actor_01/01-02-01-01-01-01-01.mp4": "",
        "Actor_01/deep/01-01-01-01-01-01-01.mp4": "",
        "Actor_01/01-01-01-01-01-01-01.exe": "",
        "Actor_01/01-01-01-01-01-01-01.mp4\n": "",
    }
    path.write_bytes(archive(1, strange, count=59))
    rows, problems = ravdess.unpack(path, tmp_path / "out")
    assert len(rows) == 59
    assert sorted(str(problem).split(": ")[1].split(" ")[1] for problem in problems) == ["59", "6"]
    assert snapshot(tmp_path / "out") == [f"Actor_01/{name}" for name in clip_names(1, "01", 59)]


def test_damaged_archives_are_problems(tmp_path):
    """Every cut and every flipped byte gives an InputProblem or clips with their right content."""
    path = tmp_path / "Video_Speech_Actor_01.zip"
    whole = archive(1)
    rng = np.random.default_rng([4, 1])
    refused = 0
    for round_ in range(60):
        damaged = bytearray(whole)
        if round_ % 2:
            damaged = damaged[: rng.integers(len(whole))]
        else:
            for _ in range(rng.integers(1, 20)):
                damaged[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        out = tmp_path / f"out{round_}"
        try:
            ravdess.unpack(path, out)
        except InputProblem:
            refused += 1
        for file in out.rglob("*.mp4"):
            assert file.read_bytes() == file.name.encode() * 20 or file.stat().st_size < 100
    assert refused > 30


def test_broken_ledger_is_made_anew(site, tmp_path):
    publish(site, {1: archive(1)})
    for text in ("", "nonsense", "file,bytes,sha256,archive,archive_md5\n../../x,1,00,a,b\n"):
        (tmp_path / "files.csv").write_text(text)
        assert obtain_ravdess(site, tmp_path, actors=[1]) == []


def test_ravdess_has_24_actors(site, tmp_path):
    with pytest.raises(InputProblem, match="1 to 24"):
        obtain_ravdess(site, tmp_path, actors=[0, 1])


# ---------------------------------------------------------------- the command


def test_command_shows_terms_and_next_step(site, repository, tmp_path, capsys, monkeypatch):
    url, _ = repository
    publish(site, {1: archive(1)})
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    arguments = ["--mirror", url, "--lfs", f"{site.address}/lfs", "--zenodo", site.address, "--quiet"]
    assert main(["ravdess", "--actors", "1", *arguments]) == 0
    out = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0" in out
    assert "make paper RAVDESS=data/corpora/ravdess" in out
    assert main(["all", "--actors", "1", "1001", *arguments]) == 1  # the link is listed
    captured = capsys.readouterr()
    assert "ODbL" in captured.out
    assert "1 problems, listed in data/corpora/problems.csv" in captured.err
    assert (tmp_path / "data/corpora/cremad/VideoFlash/1001_DFA_ANG_XX.flv").stat().st_size > 1000


def test_the_command_says_not_verified_and_ends_with_1(site, tmp_path, capsys):
    publish(site, {1: archive(1)}, record=False)
    arguments = ["ravdess", "--actors", "1", "--zenodo", site.address, "--quiet", "--to", str(tmp_path)]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert "is not verified" in said.err and "verified. Next" not in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("ravdess --actors 1001", "1001 is no actor of RAVDESS (1 to 24)"),
        ("cremad --actors 1001 7", "7 is no actor of CREMA-D (1001 to 1091)"),
        ("all --actors 1001 7 25", "25 is no actor of CREMA-D (1001 to 1091) or RAVDESS (1 to 24)"),
    ],
)
def test_the_command_refuses_actors_of_no_chosen_corpus(tmp_path, capsys, arguments, says):
    with pytest.raises(SystemExit):
        main([*arguments.split(), "--to", str(tmp_path), "--zenodo", "http://127.0.0.1:1", "--mirror", "file:///none"])
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_list_of_problems_goes_with_them(site, tmp_path):
    publish(site, {1: archive(1)}, record=False)
    arguments = ["ravdess", "--actors", "1", "--zenodo", site.address, "--quiet", "--to", str(tmp_path)]
    assert main(arguments) == 1 and (tmp_path / "problems.csv").exists()
    publish(site, {1: archive(1)})
    assert main(arguments) == 0 and not (tmp_path / "problems.csv").exists()


def test_a_folder_of_a_user_who_does_not_exist_is_refused_in_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for option in ("--to", "--folder"):
        with pytest.raises(SystemExit):
            main(["ravdess", option, "~nosuchuser/x", "--zenodo", "http://127.0.0.1:1"])
        assert "~nosuchuser/x: there is no such user" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_command_killed_in_the_middle_goes_on(site, tmp_path):
    publish(site, {1: archive(1)})
    path = "/records/1188976/files/Video_Speech_Actor_01.zip"
    site.faults[path] = ["slow:2000"]
    command = [sys.executable, "-m", "lib.corpora.obtain", "ravdess", "--actors", "1", "--to", str(tmp_path)]
    command += ["--zenodo", site.address]
    part = tmp_path / "ravdess" / ".archives" / ".Video_Speech_Actor_01.zip.part"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while running.poll() is None and not (part.exists() and part.stat().st_size):
            time.sleep(0.01)
        running.kill()
    assert part.stat().st_size < len(site.files[path])
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert site.requests[-1][1].startswith("bytes=")
    assert len(list((tmp_path / "ravdess" / "Actor_01").iterdir())) == 60
    assert re.search(r"RAVDESS: 100%.*B/s", done.stderr)
