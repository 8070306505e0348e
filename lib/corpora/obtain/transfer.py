"""Download many files over HTTP: resume, retry, and verify each file before it gets its name.

An unfinished file is ``.NAME.part`` in the same folder; hidden, so that no reader of a corpus takes it for a clip.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import requests
from tqdm import tqdm

from lib.base.problems import InputProblem
from lib.corpora.obtain.files import Remote, holds

log = logging.getLogger(__name__)

_IN_A_ROW = 10  # files that fail one after another before the download is given up
_PIECE = 1 << 14  # bytes read at once; an interruption loses at most the last piece
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # statuses after which the same request may succeed
_RELOCATE = {401, 403, 404, 410}  # statuses of an address that has expired


@dataclass(frozen=True)
class Retries:
    """At most `attempts` without a new byte, `pause` seconds apart, doubled each time; time-outs in seconds."""

    attempts: int = 8
    pause: float = 1.0
    longest_pause: float = 60.0
    connect: float = 20.0
    read: float = 60.0

    def after(self, failures: int, response: requests.Response | None = None) -> float:
        """Seconds to wait after `failures` failures in a row; a server's ``Retry-After`` takes precedence."""
        asked = response.headers.get("Retry-After", "") if response is not None else ""
        seconds = float(asked) if asked.isdecimal() else self.pause * 2 ** (failures - 1)
        return min(seconds, self.longest_pause)


RETRIES = Retries()

#: Returns a file's address and the headers to send; called with True after the address was refused.
Locate = Callable[[Remote, bool], tuple[str, dict[str, str]]]


class Unrecoverable(InputProblem):
    """A problem after which no other file can be downloaded either."""


class _Spoiled(Exception):
    """The received bytes cannot become the published file: start again from the first byte."""


class _Interrupted(Exception):
    """The connection broke or the server is busy: resume from here."""

    def __init__(self, reason: str, response: requests.Response | None = None):
        super().__init__(reason)
        self.response = response


def download(
    remotes: Sequence[Remote],
    locate: Locate,
    *,
    title: str,
    parallel: int = 4,
    retries: Retries = RETRIES,
    progress: bool = True,
    done: Callable[[Remote], list[InputProblem]] = lambda _: [],
) -> list[InputProblem]:
    """Download `remotes`; each gets its name once it is verified.

    Parameters
    ----------
    locate
        Returns a file's address and headers; may raise InputProblem.
    title
        Shown before the progress bar.
    parallel
        Number of connections.
    done
        Called with each downloaded file, in the downloading thread; returns its problems.

    Returns
    -------
    list of InputProblem
        One for each file that could not be downloaded.

    Raises
    ------
    Unrecoverable
        If no other file can succeed: the disk is full or read-only, `locate` raises it, or ten files in a row could
        not be downloaded.
    """
    there = sum(r.part.stat().st_size for r in remotes if r.part.exists())
    total = sum(r.bytes or 0 for r in remotes) or None
    problems: list[InputProblem] = []
    stop = threading.Event()
    lock = threading.Lock()
    sessions: dict[int, requests.Session] = {}  # one per thread, to keep its connection open
    with (
        tqdm(total=total, initial=there, desc=title, unit="B", unit_scale=True, disable=not progress) as bar,
        ThreadPoolExecutor(parallel) as pool,
    ):

        def count(received: int) -> None:
            with lock:
                bar.update(received)

        def one(remote: Remote) -> list[InputProblem]:
            thread = threading.get_ident()
            if thread not in sessions:
                sessions[thread] = requests.Session()
            placed = _Fetch(remote, locate, retries, sessions[thread], count, stop).run()
            return done(remote) if placed else []

        futures = [pool.submit(one, remote) for remote in remotes]
        in_a_row = 0
        try:
            for future in as_completed(futures):
                try:
                    problems += future.result()
                    in_a_row = 0
                except Unrecoverable:
                    raise
                except InputProblem as problem:
                    problems.append(problem)
                    in_a_row += 1
                if in_a_row == _IN_A_ROW:
                    text = f"{in_a_row} files in a row could not be fetched; the last one {problems[-1].problem}"
                    remedy = "check the connection and run the command again; it goes on from here"
                    raise Unrecoverable(remotes[0].path.parent, text, remedy)
        except OSError as error:
            folder = remotes[0].path.parent
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            text = "the disk is full" if full else f"cannot be written ({error.strerror})"
            remedy = "make room" if full else "check the folder's permissions"
            raise Unrecoverable(folder, text, f"{remedy} and run the command again; it goes on from here") from error
        finally:  # also after Ctrl-C: what has arrived stays as .part
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for session in sessions.values():
                session.close()
    return problems


@dataclass
class _Fetch:
    """The download of one file."""

    remote: Remote
    locate: Locate
    retries: Retries
    session: requests.Session
    count: Callable[[int], None]
    stop: threading.Event

    def run(self) -> bool:
        """Download and verify the file; return True, or False if all downloads were stopped. May raise InputProblem."""
        remote = self.remote
        remote.path.parent.mkdir(parents=True, exist_ok=True)
        if remote.path.is_file() and holds(remote.path, remote):
            return True
        failures = spoiled = farthest = 0
        again = False
        while not self.stop.is_set():
            try:
                self._receive(again)
                if self.stop.is_set():
                    break
                if not holds(remote.part, remote):
                    raise _Spoiled("its checksum is not the published one")
                remote.part.replace(remote.path)
                return True
            except _Spoiled as error:
                self._forget()
                spoiled += 1
                if spoiled == 2:  # the first time may be a transmission error
                    remedy = "try again later or from another mirror"
                    raise InputProblem(remote.path, f"was not kept: {error}", remedy) from None
            except _Interrupted as error:
                size = self._size()
                failures = 1 if size > farthest else failures + 1
                farthest = max(farthest, size)
                if failures >= self.retries.attempts:
                    text = f"could not be fetched in {failures} attempts ({error})"
                    raise InputProblem(remote.path, text, "run the command again; it goes on from here") from None
                again = error.response is not None and error.response.status_code in _RELOCATE
                self.stop.wait(self.retries.after(failures, error.response))
        return False

    def _size(self) -> int:
        return self.remote.part.stat().st_size if self.remote.part.exists() else 0

    def _forget(self) -> None:
        self.count(-self._size())
        self.remote.part.unlink(missing_ok=True)

    def _receive(self, again: bool) -> None:
        """Append the missing bytes to the unfinished file."""
        remote, have = self.remote, self._size()
        if remote.bytes is not None and have == remote.bytes:
            return
        if remote.bytes is not None and have > remote.bytes:
            self._forget()
            have = 0
        url, headers = self.locate(remote, again)
        # No compression in transit: byte positions must be those of the file.
        headers = {**headers, "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        times = (self.retries.connect, self.retries.read)
        try:
            with self.session.get(url, headers=headers, stream=True, timeout=times) as response:
                self._append(response, have, again)
        except requests.RequestException as error:
            if isinstance(error, ValueError):  # not a valid address
                raise InputProblem(remote.path, f"has no usable address ({error})", "try another mirror") from None
            raise _Interrupted(plain(error)) from None

    def _append(self, response: requests.Response, have: int, again: bool) -> None:
        remote, status = self.remote, response.status_code
        if status in _TRANSIENT or (status in _RELOCATE and not again):
            raise _Interrupted(f"the server answers {status}", response)
        if status == 416:
            raise _Spoiled("the server has fewer bytes than were fetched")
        if status not in (200, 206):
            remedy = "try again later or from another mirror"
            raise InputProblem(remote.path, f"is refused by the server (status {status})", remedy)
        start = have if status == 206 else 0
        if status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise _Spoiled("the server answers with another part than asked for")
        if have and not start:  # the server does not resume
            self._forget()
        length = response.headers.get("Content-Length", "")
        offered = start + int(length) if length.isdecimal() else None
        expected = offered if remote.bytes is None else remote.bytes
        if offered is not None and offered != expected:
            raise _Spoiled(f"the server offers {offered:,} bytes instead of the published {expected:,}")
        with open(remote.part, "ab") as file:
            for piece in response.iter_content(_PIECE):
                file.write(piece)
                self.count(len(piece))
                if expected is not None and file.tell() > expected:
                    raise _Spoiled(f"the server sends more than the published {expected:,} bytes")
                if self.stop.is_set():
                    return
        if expected is not None and self._size() < expected:
            raise _Interrupted("the connection ended early")


def plain(error: Exception) -> str:
    """A short text for a network error, whose own text is long."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    return "no connection" if isinstance(error, requests.ConnectionError) else str(error)


def ask(session: requests.Session, method: str, url: str, retries: Retries, **request: Any) -> requests.Response:
    """Send a small request, with retries; raise requests.RequestException if there is no answer.

    A response whose status another attempt would not change is returned.
    """
    times = (retries.connect, retries.read)
    for failures in range(1, retries.attempts + 1):
        response = None
        try:
            response = session.request(method, url, timeout=times, **request)
            if response.status_code not in _TRANSIENT or failures == retries.attempts:
                return response
            reason = f"answers {response.status_code}"
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            if failures == retries.attempts:
                raise
            reason = plain(error)
        pause = retries.after(failures, response)
        log.info("%s: %s; next attempt in %.0f s", url, reason, pause)
        threading.Event().wait(pause)
    raise AssertionError("unreachable")
