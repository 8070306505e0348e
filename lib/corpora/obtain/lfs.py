"""Git LFS: find the addresses of a repository's objects, in two requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import requests

from lib.base.problems import InputProblem
from lib.corpora.obtain.files import Remote
from lib.corpora.obtain.transfer import Retries, Unrecoverable, ask, plain

log = logging.getLogger(__name__)

_BATCH = 100  # objects in one request; the usual limit of Git-LFS servers


def _oid(remote: Remote) -> str:
    """Identifier of an object in Git LFS: its SHA-256."""
    return (remote.checksum or "").removeprefix("sha256:")


class Store:
    """Addresses of Git-LFS objects, requested in batches; if a server fails, the next one is used.

    Parameters
    ----------
    servers
        Addresses such as ``https://host/repository.git/info/lfs``.
    remotes
        The objects, in the order in which they will be downloaded.
    """

    def __init__(self, servers: Sequence[str], remotes: Sequence[Remote], retries: Retries):
        self._servers = list(servers)
        self._retries = retries
        self._objects = {_oid(remote): remote for remote in remotes}
        self._waiting = list(self._objects)
        self._actions: dict[str, tuple[str, dict[str, str]]] = {}
        self._lock = threading.Lock()
        self._session = requests.Session()

    def locate(self, remote: Remote, again: bool) -> tuple[str, dict[str, str]]:
        """Address and headers of an object; `again` requests a new address. May raise InputProblem."""
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
                text = f"is offered by none of the servers (object {oid[:12]})"
                raise InputProblem(remote.path, text, "try again later or from another mirror")
            return self._actions[oid]

    def _ask(self, oids: list[str]) -> None:
        for server in list(self._servers):
            missing = [oid for oid in oids if oid not in self._actions]
            if not missing:
                return
            try:
                self._actions |= self._batch(server, missing)
            except (requests.RequestException, ValueError) as error:
                log.warning("CREMA-D: %s offers no videos: %s", server, plain(error))
                self._servers.remove(server)
        if not self._servers:
            raise Unrecoverable(
                next(iter(self._objects.values())).path.parent,
                "no Git-LFS server offers CREMA-D's videos",
                "try again later, with `--mirror gitlab`, or see data/README.md for other ways",
            )

    def _batch(self, server: str, oids: list[str]) -> dict[str, tuple[str, dict[str, str]]]:
        media = "application/vnd.git-lfs+json"
        objects = [{"oid": oid, "size": self._objects[oid].bytes} for oid in oids]
        response = ask(
            self._session, "POST", f"{server}/objects/batch", self._retries,
            json={"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects},
            headers={"Accept": media, "Content-Type": media},
        )  # fmt: skip
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("objects"), list):
            message = answer.get("message") if isinstance(answer, dict) else None
            raise ValueError(f"status {response.status_code}, {str(message or 'no reason given')[:200]}")
        actions = {}
        for entry in answer["objects"]:
            try:
                action = entry["actions"]["download"]
                headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
                if entry["oid"] in self._objects and str(action["href"]).startswith(("http://", "https://")):
                    actions[entry["oid"]] = (action["href"], headers)
            except (KeyError, TypeError, AttributeError):
                continue  # an error of this object only; the next server may have it
        return actions
