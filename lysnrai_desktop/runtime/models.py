"""The models on this disk: which are there, whether they are whole, and how one comes here.

    <models>/base/             files of the catalogue and a stamp (model_files.py): the only place a model is used from
    <models>/.base.part/       files on their way; becomes base/ by one rename, when every one of them was compared
    <models>/.base.lock        held while base/ or .base.part/ is written to, so that two processes do not mix

A folder is never trusted for being there. One that turns out damaged becomes .base.part/ when the model is got again:
files that are right are kept, only the others are brought. Being killed at any moment leaves a .base.part/, which the
next `get` goes on from and nobody else looks at.

Decided here: the order of the sources, consent, space, what is kept. Absent: what a source does (model_sources.py),
rows and progress bars (cli/models.py).

Imports: core. May be imported by: app, cli.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Event

from lysnrai_desktop import ASSETS
from lysnrai_desktop.core.catalogue import Catalogue, Model, ModelFile, parse
from lysnrai_desktop.core.faults import DiskFull, DiskReadOnly, ModelDamaged, ModelFault, ModelMissing, ModelUnknown
from lysnrai_desktop.core.settings import ModelSettings
from lysnrai_desktop.runtime.model_files import all_wrong, first_wrong, is_published, remember
from lysnrai_desktop.runtime.model_sources import Arrived, Cancelled, Folder, Packages, Server, Source, hub

STALL_S = 60.0
SPARE_BYTES = 256 << 20
"""Left free on the disk: a dictation must always find room for its take (half an hour is 170 MB)."""

_LOCK_POLL_S = 0.1
_log = logging.getLogger(__name__)


def models_dir(home: Path, environ: Mapping[str, str]) -> Path:
    """The folder of the models: $LYSNRAI_MODELS, else `models` in the app's own folder."""
    return Path(environ.get("LYSNRAI_MODELS") or home / "models")


def load_catalogue() -> Catalogue:
    with (ASSETS / "models" / "catalogue.toml").open("rb") as file:
        return parse(tomllib.load(file))


@dataclass(frozen=True, slots=True)
class ModelPath:
    """A folder that an engine may load."""

    path: Path
    name: str
    verified: bool
    """False: a folder of the user's own, of which nothing is known but that the files are there."""


class Presence(StrEnum):
    READY = "ready"
    DAMAGED = "damaged"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ModelRow:
    model: Model
    presence: Presence
    wrong_file: str
    """The file that makes it damaged, "" otherwise."""
    packaged: bool
    """Installed packages carry it: `get` needs no network."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the user is asked before anything is requested from a server."""

    model: Model
    server: str
    """A host name."""
    size_bytes: int
    """Still to be fetched."""


@dataclass(frozen=True, slots=True)
class Progress:
    source: str
    """As in the setting models.sources."""
    done_bytes: int
    """Never shrinks within one source."""
    total_bytes: int


def _refuse(_: Offer) -> bool:
    return False


def _ignore(_: Progress) -> None:
    pass


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class Models:
    """All calls block; any thread and any number of processes may call at the same time.

    What the disk refuses is raised as DiskFull or DiskReadOnly by each of them.
    """

    def __init__(
        self,
        folder: Path,
        catalogue: Catalogue,
        settings: ModelSettings,
        *,
        environ: Mapping[str, str] = os.environ,
        free_bytes: Callable[[Path], int] = _free_bytes,
        sources: Sequence[Source] | None = None,
    ) -> None:
        """`folder`: from `models_dir`; made when the first model comes. `sources`: instead of those in the settings."""
        self._folder = folder
        self._catalogue = catalogue
        self._download = settings.download
        self._free_bytes = free_bytes
        self._sources = _sources(settings, environ) if sources is None else tuple(sources)

    def list(self) -> tuple[ModelRow, ...]:
        """Every model of the catalogue. Hashes those that were never looked at or have changed."""
        return tuple(self._row(model) for model in self._catalogue.models)

    def locate(self, name_or_folder: str) -> ModelPath:
        """The folder to load a model from: by a name of the catalogue, or a folder of the user's own.

        Takes a millisecond, or the time to hash the model where it is not known to be whole.

        Raises:
            ModelUnknown: no such name, no such folder.
            ModelMissing: not on this disk; `get` may bring it.
            ModelDamaged: says which file is not the published one; of an own folder, which one is not there.
        """
        model = self._catalogue.find(name_or_folder)
        if model is None:
            return _own(name_or_folder)
        folder = self._folder / model.name
        if not os.path.isdir(folder):  # noqa: PTH112  Path.is_dir raises behind a closed folder
            raise ModelMissing(model.name)
        with _disk_faults():
            wrong = first_wrong(model, folder)
        if wrong is not None:
            raise ModelDamaged(model.name, wrong)
        return ModelPath(folder, model.name, verified=True)

    def get(
        self,
        name: str,
        *,
        consent: Callable[[Offer], bool] = _refuse,
        progress: Callable[[Progress], None] = _ignore,
        cancelled: Event | None = None,
    ) -> ModelPath | None:
        """Bring a model here from the first source that has it whole, and return where it is.

        Args:
            name: of the catalogue.
            consent: asked once for each server, before anything is requested, where the setting says "ask".
            progress: told on this thread.
            cancelled: once set, None is returned within 0.1 s (while hashing: up to 6 s); what has arrived is kept.

        Raises:
            ModelUnknown: not in the catalogue.
            ModelMissing: no source has it, or none was allowed.
            ModelDamaged, ModelDownloadFailed: of the last source that was tried.
        """
        model = self._known(name)
        cancelled = cancelled or Event()
        with contextlib.suppress(ModelMissing, ModelDamaged):
            return self.locate(name)
        try:
            with _disk_faults(), self._locked(model, cancelled):
                return self._get(model, consent, progress, cancelled)
        except Cancelled:
            return None

    def ready(self, name_or_folder: str, *, consent: Callable[[Offer], bool] = _refuse) -> ModelPath:
        """The folder to load a model from; one of the catalogue that is absent or damaged here is brought first.

        Raises as `locate` and `get` do.
        """
        try:
            return self.locate(name_or_folder)
        except (ModelMissing, ModelDamaged):
            if self._catalogue.find(name_or_folder) is None:
                raise
        brought = self.get(name_or_folder, consent=consent)
        assert brought is not None, "nobody can cancel this"
        return brought

    def verify(self, name: str) -> tuple[str, ...]:
        """Hash every file anew; the names of those that are not the published ones, none if the model is whole.

        Raises ModelUnknown, ModelMissing.
        """
        model = self._known(name)
        if not (self._folder / model.name).is_dir():
            raise ModelMissing(model.name)
        with _disk_faults():
            return all_wrong(model, self._folder / model.name)

    def remove(self, name: str) -> bool:
        """Erase a model and what has arrived of it; False if there was nothing. Raises ModelUnknown."""
        model = self._known(name)
        folder, staging = self._folder / model.name, self._staging(model)
        if not (os.path.lexists(folder) or staging.exists()):
            return False
        with _disk_faults(), self._locked(model, Event()):
            _move_aside(folder, staging)
            if staging.exists():
                shutil.rmtree(staging)
        return True

    def _known(self, name: str) -> Model:
        model = self._catalogue.find(name)
        if model is None:
            raise ModelUnknown("not in the catalogue")
        return model

    def _row(self, model: Model) -> ModelRow:
        packaged = Packages().has(model)
        try:
            self.locate(model.name)
        except ModelMissing:
            return ModelRow(model, Presence.ABSENT, "", packaged)
        except ModelDamaged as damaged:
            return ModelRow(model, Presence.DAMAGED, damaged.file, packaged)
        return ModelRow(model, Presence.READY, "", packaged)

    def _staging(self, model: Model) -> Path:
        return self._folder / f".{model.name}.part"

    @contextlib.contextmanager
    def _locked(self, model: Model, cancelled: Event) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / f".{model.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _try_lock(descriptor):
                if cancelled.wait(_LOCK_POLL_S):
                    raise Cancelled
            yield
        finally:
            os.close(descriptor)

    def _get(
        self, model: Model, consent: Callable[[Offer], bool], progress: Callable[[Progress], None], cancelled: Event
    ) -> ModelPath:
        with contextlib.suppress(ModelMissing, ModelDamaged):
            return self.locate(model.name)  # another process was faster
        staging = self._staging(model)
        damaged = _move_aside(self._folder / model.name, staging)
        staging.mkdir(mode=0o700, exist_ok=True)
        missing = _missing(model, staging, keep_beginnings=not damaged)
        fault: ModelFault = ModelMissing(model.name)
        for source in self._sources:
            if not source.has(model) or not self._allowed(source, model, missing, consent):
                continue
            try:
                self._fill(source, model, missing, progress, cancelled)
            except ModelFault as failed:
                fault = failed
                _log.info("%s did not come from %s: %s", model.name, source.name, failed.code)
                missing = _missing(model, staging, keep_beginnings=True)
            else:
                return self._publish(model)
        with contextlib.suppress(OSError):
            staging.rmdir()  # unless something has arrived
        raise fault

    def _allowed(
        self, source: Source, model: Model, missing: Sequence[ModelFile], consent: Callable[[Offer], bool]
    ) -> bool:
        if not source.server or self._download == "always":
            return True
        if self._download == "never":
            return False
        return consent(Offer(model, source.server, _remaining_bytes(self._staging(model), missing)))

    def _fill(
        self,
        source: Source,
        model: Model,
        missing: Sequence[ModelFile],
        progress: Callable[[Progress], None],
        cancelled: Event,
    ) -> None:
        """Bring the missing files into the staging folder. Raises ModelDamaged if one is wrong when it is there."""
        done_bytes = 0

        def arrived(arrived_bytes: int) -> None:
            nonlocal done_bytes
            there_bytes = model.size_bytes - sum(file.size_bytes for file in missing)
            done_bytes = max(done_bytes, there_bytes + arrived_bytes)
            progress(Progress(source.name, done_bytes, model.size_bytes))

        staging = self._staging(model)
        begun = [file for file in missing if (staging / file.name).exists()]
        wrong = self._attempt(source, model, missing, arrived, cancelled)
        if wrong and all(file in begun for file in wrong):
            # Perhaps only its beginning was, left by another try: once more, from the start.
            wrong = self._attempt(source, model, wrong, arrived, cancelled)
        if wrong:
            raise ModelDamaged(model.name, wrong[0].name)

    def _attempt(
        self, source: Source, model: Model, missing: Sequence[ModelFile], arrived: Arrived, cancelled: Event
    ) -> Sequence[ModelFile]:
        """The files that came and are wrong; they are erased."""
        staging = self._staging(model)
        remaining_bytes = _remaining_bytes(staging, missing)
        if self._free_bytes(staging) < remaining_bytes + SPARE_BYTES:
            raise DiskFull(f"{model.name}: {remaining_bytes} bytes are needed, and {SPARE_BYTES} to spare")
        source.fill(model, missing, staging, arrived, cancelled)
        wrong = [file for file in missing if not is_published(staging / file.name, file)]
        for file in wrong:
            (staging / file.name).unlink(missing_ok=True)
        return wrong

    def _publish(self, model: Model) -> ModelPath:
        """Make the staging folder the model's: first complete on the disk, then visible, by one rename."""
        staging, folder = self._staging(model), self._folder / model.name
        for file in model.files:
            path = staging / file.name
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            _sync(path)
        remember(model, staging)
        _sync(staging)
        staging.rename(folder)
        _sync(self._folder)
        return ModelPath(folder, model.name, verified=True)


def _sources(settings: ModelSettings, environ: Mapping[str, str]) -> tuple[Source, ...]:
    known: dict[str, Source] = {"package": Packages(), "hub": hub(environ, STALL_S)}
    if settings.mirror:
        known["mirror"] = Server("mirror", settings.mirror.rstrip("/"), STALL_S)
    if settings.folder:
        known["folder"] = Folder(Path(settings.folder).expanduser())
    return tuple(known[name] for name in settings.sources if name in known)


def _own(folder: str) -> ModelPath:
    # os.path, for Path raises where there is no such user, behind a closed folder, and for a name that is too long
    path = Path(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111
    if not os.path.isdir(path):  # noqa: PTH112
        raise ModelUnknown("no model of that name, no such folder")
    for name in ("model.bin", "config.json", "tokenizer.json"):
        if not os.path.isfile(path / name):  # noqa: PTH113
            raise ModelDamaged("the folder", name)
    if not any(entry.is_file() for entry in path.glob("vocabulary.*")):
        raise ModelDamaged("the folder", "vocabulary.txt")
    return ModelPath(path, path.name, verified=False)


def _missing(model: Model, staging: Path, *, keep_beginnings: bool) -> list[ModelFile]:
    """The files still to be brought. Erases from the folder what is neither a file of the model nor its beginning."""
    files = {file.name: file for file in model.files}
    missing = dict(files)
    for path in staging.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_symlink() or path.name not in files:
            path.unlink()
        elif is_published(path, files[path.name]):
            del missing[path.name]
        elif not (keep_beginnings and 0 < path.stat().st_size < files[path.name].size_bytes):
            path.unlink()
    return list(missing.values())


def _remaining_bytes(staging: Path, missing: Sequence[ModelFile]) -> int:
    paths = ((file, staging / file.name) for file in missing)
    return sum(file.size_bytes - (path.stat().st_size if path.exists() else 0) for file, path in paths)


def _move_aside(folder: Path, staging: Path) -> bool:
    """Take a folder out of use, by one rename; what the staging folder held before is erased. False: there is none."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()  # what it leads to is not ours
        return False
    if not folder.exists():
        return False
    if staging.exists():
        shutil.rmtree(staging)
    folder.rename(staging)
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk_faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(error.strerror) from None  # the error itself has paths in it
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise DiskReadOnly(error.strerror) from None
        raise
