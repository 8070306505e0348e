"""Git LFS: where the objects of a repository lie, asked in two requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import requests

from lib.base.problems import InputProblem
from lib.corpora.obtain.files import Remote
from lib.corpora.obtain.transfer import Hopeless, Patience, ask, plain

log = logging.getLogger(__name__)

_BATCH = 100  # objects in one request; the limit that Git-LFS servers name


def _oid(remote: Remote) -> str:
    """The name of an object in Git LFS, its SHA-256."""
    return (remote.checksum or "").removeprefix("sha256:")


class Store:
    """Addresses of Git-LFS objects, asked for in batches, from the next server where one refuses.

    Parameters
    ----------
    servers
        Addresses such as ``https://host/repository.git/info/lfs``.
    remotes
        The objects, in the order in which they will be wanted.
    """

    def __init__(self, servers: Sequence[str], remotes: Sequence[Remote], patience: Patience):
        self._servers = list(servers)
        self._patience = patience
        self._objects = {_oid(remote): remote for remote in remotes}
        self._waiting = list(self._objects)
        self._actions: dict[str, tuple[str, dict[str, str]]] = {}
        self._lock = threading.Lock()
        self._session = requests.Session()

    def locate(self, remote: Remote, again: bool) -> tuple[str, dict[str, str]]:
        """Address and headers of an object; `again` where the last address was refused. May raise InputProblem."""
        oid = _oid(remote)
        with self._lock:
            if again:
                self._actions.pop(oid, None)
            if oid not in self._actions:
                batch = [oid, *[other for other in self._waiting if other != oid][: _BATCH - 1]]
                asked = set(batch)
                self._waiting = [other for other in self._waiting if other not in asked]
                self._ask(batch)
            if oid not in self._actions:
                text = f"is given out by none of the servers (object {oid[:12]})"
                raise InputProblem(remote.path, text, "try again later or from another mirror")
            return self._actions[oid]

    def _ask(self, oids: list[str]) -> None:
        for server in list(self._servers):
            lacking = [oid for oid in oids if oid not in self._actions]
            if not lacking:
                return
            try:
                self._actions |= self._batch(server, lacking)
            except (requests.RequestException, ValueError) as error:
                log.warning("CREMA-D: %s gives out no videos: %s", server, plain(error))
                self._servers.remove(server)
        if not self._servers:
            raise Hopeless(
                next(iter(self._objects.values())).path.parent,
                "no Git-LFS server gives out CREMA-D's videos",
                "try again later, with `--mirror gitlab`, or see data/README.md for other ways",
            )

    def _batch(self, server: str, oids: list[str]) -> dict[str, tuple[str, dict[str, str]]]:
        media = "application/vnd.git-lfs+json"
        objects = [{"oid": oid, "size": self._objects[oid].bytes} for oid in oids]
        response = ask(
            self._session, "POST", f"{server}/objects/batch", self._patience,
            json={"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects},
            headers={"Accept": media, "Content-Type": media},
        )  # fmt: skip
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("objects"), list):
            told = answer.get("message") if isinstance(answer, dict) else None
            raise ValueError(f"status {response.status_code}, {str(told or 'no reason given')[:200]}")
        found = {}
        for entry in answer["objects"]:
            try:
                action = entry["actions"]["download"]
                headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
                if entry["oid"] in self._objects and str(action["href"]).startswith(("http://", "https://")):
                    found[entry["oid"]] = (action["href"], headers)
            except (KeyError, TypeError, AttributeError):
                continue  # an object's own error; the next server may have it
        return found
