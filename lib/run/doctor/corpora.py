"""What the corpora and the studies have: usable clips, missing actors, pointers, sizes and checksums, runs done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lib.base.emotions import EMOTIONS
from lib.base.paths import in_workspace, relative
from lib.base.problems import InputProblem
from lib.corpora import cremad, ravdess
from lib.corpora.obtain import cremad as cremad_source
from lib.corpora.obtain import ravdess as ravdess_source
from lib.corpora.obtain.files import Remote, verify
from lib.corpora.pointers import read_pointer
from lib.run.doctor import MISSING, OK, WRONG, Finding, some
from lib.study import Study
from lib.synthetic import plan

_ACTORS = {"cremad": range(1001, 1092), "ravdess": range(1, 25)}
_CLIPS = {"cremad": 7442, "ravdess": 1056}  # RAVDESS: speech, one modality, the six emotions


def check_study(study: Study, corpus: str, checksums: bool = False) -> Iterator[Finding]:
    """The videos of a study's `corpus`: how many can be used, what is missing, what is not what was published."""
    folder, name = study.corpora[corpus]["folder"], study.name_of(corpus)
    command = "make reproduce" if study.render else obtain_command(corpus, folder)
    if not folder.is_dir():
        yield Finding(MISSING, name, f"no folder {relative(folder)}", command)
        return
    try:
        clips, problems = (cremad if corpus == "cremad" else ravdess).list_clips(folder)
    except InputProblem as problem:
        yield Finding(MISSING, name, f"{problem.file} {problem.problem}", command)
        return
    expected = _rendered(study, corpus) if study.render else _CLIPS[corpus]
    whole = len(clips) >= expected
    text = f"{len(clips):,} of {expected:,} clips can be used, in {relative(folder)}"
    yield Finding(OK if whole else MISSING, name, text, "" if whole else command)
    pointers = sum(_is_pointer(path) for path in folder.glob("VideoFlash/*.flv"))
    if pointers:
        yield Finding(WRONG, name, f"{pointers:,} files are Git-LFS pointers and no videos", command)
    elif problems:
        text = f"{len(problems)} problems; {problems[0].file} {problems[0].problem}"
        yield Finding(WRONG, name, text, "" if whole else command)
    if study.render:
        return
    absent = sorted(set(_ACTORS[corpus]) - set(clips["actor"]))
    if absent:
        yield Finding(MISSING, name, f"{len(absent)} actors: {some(absent)}", command)
    yield from _check_published(folder, corpus, name, checksums)


def obtain_command(corpus: str, folder: Path) -> str:
    """What completes the corpus in `folder`."""
    if folder == in_workspace(Path("data") / "corpora" / corpus):
        return "make data"
    return f".venv/bin/python -m lib.corpora.obtain {corpus} --folder {relative(folder)}"


def _is_pointer(path: Path) -> bool:
    try:
        return read_pointer(path) is not None
    except OSError:
        return False


def _check_published(folder: Path, corpus: str, name: str, checksums: bool) -> Iterator[Finding]:
    """Sizes, and on request SHA-256, of the videos against what is published of them."""
    try:
        remotes, unknown = _published(folder, corpus)
    except InputProblem as problem:
        yield Finding(WRONG, name, f"{problem.file} {problem.problem}")
        return
    present = [remote for remote in remotes if remote.path.is_file() and not _is_pointer(remote.path)]
    if checksums:
        altered = verify(present, title=f"{name}: SHA-256")
    else:
        altered = [remote for remote in present if remote.path.stat().st_size != remote.bytes]
    what = "SHA-256" if checksums else "size"
    if altered:
        text = f"{len(altered)} clips have another {what} than published: {some([r.path.name for r in altered])}"
        yield Finding(WRONG, name, text, obtain_command(corpus, folder))
    elif present:
        text = f"{len(present):,} clips have the published {what}"
        yield Finding(OK, name, text + ("" if checksums else " (SHA-256: make doctor CHECKSUMS=1)"))
    if unknown:
        yield Finding(MISSING, name, f"what is published of {unknown} is not known here, so they stay unverified")
    if corpus == "ravdess":
        record = ravdess_source.load_published(folder)
        unpacked = ravdess_source.Ledger(folder).table[["archive", "archive_md5"]].drop_duplicates()
        other = [row.archive for row in unpacked.itertuples() if record.get(row.archive, (0, ""))[1] != row.archive_md5]
        if other:
            text = f"{len(other)} archives were unpacked without the record's checksum: {some(other)}"
            yield Finding(WRONG, name, text, obtain_command(corpus, folder))


def _published(folder: Path, corpus: str) -> tuple[list[Remote], str]:
    """Clips with what is published of them, and which clips that is not known of."""
    if corpus == "cremad":
        pointers, unknown = cremad_source.published(folder)
        videos = folder / cremad_source.VIDEOS
        remotes = [Remote(videos / file, p.bytes, f"sha256:{p.sha256}") for file, p in pointers.items()]
        return remotes, f"{len(unknown)} clips" if unknown else ""
    remotes = ravdess_source.Ledger(folder).remotes()
    return remotes, "" if remotes else "the clips (they were not fetched by `make data`)"


def _rendered(study: Study, corpus: str) -> int:
    """Clips of a synthetic corpus that show one of the six emotions; the calm and surprised ones are left out."""
    clips = plan(corpus, **study.render[corpus], seed=study.render["seed"])
    return sum(clip.emotion in EMOTIONS for clip in clips)


def check_runs(study: Study) -> Finding:
    """How many trainings of the study's grid are done."""
    runs = study.runs("04_training_run")
    done = sum((runs / cell.run / "metrics.json").is_file() for cell in study.grid)
    mark = OK if done == len(study.grid) else MISSING
    return Finding(mark, f"{study.name} study", f"{done} of {len(study.grid)} trainings of the grid are done")
