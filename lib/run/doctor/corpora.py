"""Check corpora and studies: usable clips, missing actors, pointers, sizes and checksums, finished runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lib.base.paths import in_workspace, relative
from lib.base.problems import InputProblem
from lib.corpora.obtain.files import verify
from lib.corpora.obtain.published import altered_archives, count_pointers, obtain_options, published
from lib.corpora.pointers import is_pointer
from lib.corpora.registry import CORPORA
from lib.run.doctor import MISSING, OK, WRONG, Finding, some
from lib.run.lengths import used
from lib.study import Study


def check_study(study: Study, corpus: str, checksums: bool = False) -> Iterator[Finding]:
    """Check the videos of a study's `corpus`: how many can be used, which are missing or altered."""
    folder, name = study.corpora[corpus]["folder"], study.name_of(corpus)
    command = "make reproduce" if study.render else obtain_command(study, corpus)
    if not folder.is_dir():
        yield Finding(MISSING, name, f"no folder {relative(folder)}", command)
        return
    try:
        clips, problems = CORPORA[corpus].listed(folder, study.settings)
    except InputProblem as problem:
        yield Finding(MISSING, name, f"{problem.file} {problem.problem}", command)
        return
    actors = used(study, corpus, set(clips["actor"]))
    usable, expected = sum(clips["actor"].isin(actors)), sum(map(len, actors.values()))
    whole = usable >= expected
    text = f"{usable:,} of {expected:,} clips can be used, in {relative(folder)}"
    yield Finding(OK if whole else MISSING, name, text, "" if whole else command)
    if pointers := count_pointers(corpus, folder):
        yield Finding(WRONG, name, f"{pointers:,} files are Git-LFS pointers and no videos", command)
    elif problems:
        text = f"{len(problems)} problems; {problems[0].file} {problems[0].problem}"
        yield Finding(WRONG, name, text, "" if whole else command)
    if study.render:
        return
    if absent := sorted(set(actors) - set(clips["actor"])):
        yield Finding(MISSING, name, f"{len(absent)} actors: {some(absent)}", command)
    yield from _check_published(study, corpus, checksums)


def obtain_command(study: Study, corpus: str) -> str:
    """The command that completes the study's `corpus`; for a study of some actors, with their numbers."""
    folder, options = study.corpora[corpus]["folder"], obtain_options(corpus, study.settings)
    some_actors = "actors" in study.corpora[corpus]
    if folder == in_workspace(Path("data") / "corpora" / corpus) and not options:
        numbers = " ".join(str(actor) for each in study.corpora for actor in used(study, each))
        return f'make data ACTORS="{numbers}"' if some_actors else "make data"
    if some_actors:
        options += f" --actors {' '.join(map(str, used(study, corpus)))}"
    return f".venv/bin/python -m lib.corpora.obtain {corpus} --folder {relative(folder)}{options}"


def _check_published(study: Study, corpus: str, checksums: bool) -> Iterator[Finding]:
    """Compare the videos' sizes, and on request SHA-256, with the published ones."""
    folder, name = study.corpora[corpus]["folder"], study.name_of(corpus)
    try:
        remotes, unknown = published(corpus, folder)
    except InputProblem as problem:
        yield Finding(WRONG, name, f"{problem.file} {problem.problem}")
        return
    present = [remote for remote in remotes if remote.path.is_file() and not is_pointer(remote.path)]
    if checksums:
        altered = verify(present, title=f"{name}: SHA-256")
    else:
        altered = [remote for remote in present if remote.path.stat().st_size != remote.bytes]
    what = "SHA-256" if checksums else "size"
    if altered:
        text = f"{len(altered)} clips have another {what} than published: {some([r.path.name for r in altered])}"
        yield Finding(WRONG, name, text, obtain_command(study, corpus))
    elif present:
        text = f"{len(present):,} clips have the published {what}"
        yield Finding(OK, name, text + ("" if checksums else " (SHA-256: make doctor CHECKSUMS=1)"))
    if unknown:
        yield Finding(MISSING, name, f"what is published of {unknown} is not known here, so they stay unverified")
    archives = altered_archives(corpus, folder)
    if archives:
        text = f"{len(archives)} archives were unpacked without the record's checksum: {some(archives)}"
        yield Finding(WRONG, name, text, obtain_command(study, corpus))


def check_runs(study: Study) -> Finding:
    """Count the finished trainings of the study's grid."""
    done = sum((study.training(cell) / "metrics.json").is_file() for cell in study.grid)
    mark = OK if done == len(study.grid) else MISSING
    return Finding(mark, f"{study.name} study", f"{done} of {len(study.grid)} trainings of the grid are done")
