"""What is asked of studies in one command. Runs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....objectives.errors import BadInput, unknown
from .contract import SCALES, Resources, Scale, Setting, Size, Study


@dataclass(frozen=True)
class StudyJob:
    """What is asked of each study, and where its record goes.

    Attributes:
        scale: see `Setting`.
        out: `<out>/<id>/` gets a study's record and pictures, `<out>/verdicts.{csv,md,tex}` the table of all there.
        seeds: how many, in place of each study's own number.
        options: in place of the studies' own at this scale (`Size.options`); the table says which.
        force: run again what is complete.
        resources: see there.

    Raises:
        BadInput: for an unknown scale, or no seeds.
    """

    scale: Scale
    out: Path
    seeds: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False
    resources: Resources = field(default_factory=Resources)

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise unknown("scale", self.scale, list(SCALES))
        if self.seeds is not None and self.seeds < 1:
            raise BadInput(f"--seeds {self.seeds}: must be 1 or more")

    def size_of(self, study: Study) -> Size | str:
        """How much of the study is done, with the user's changes in its note; or why nothing is done.

        Raises:
            BadInput: for an option that the study does not have.
        """
        size = study.sizes.get(self.scale, "the study gives no size for it")
        known = list(size.options) if isinstance(size, Size) else []
        for key in self.options:
            if not known:
                raise BadInput(f"{study.id} at scale {self.scale}: '{key}' is set: this study has no options")
            if key not in known:
                raise BadInput(f"{study.id} at scale {self.scale}: {unknown('option', key, known)}")
        if isinstance(size, str):
            return size
        changes = ", ".join(f"{key} = {value}" for key, value in self.options.items())
        note = "; ".join(filter(None, [size.note, changes]))
        return Size(self.seeds or size.seeds, {**size.options, **self.options}, note)

    def setting(self, size: Size, folder: Path) -> Setting:
        """What a study's `run` gets; the folder is for files of its own."""
        return Setting(self.scale, tuple(range(size.seeds)), size.options, folder, self.out / "runs", self.resources)

    def datasets(self, studies: Mapping[str, Study]) -> list[str]:
        """The data sets that these studies may have to download, each once."""
        found: dict[str, None] = {}
        for study in studies.values():
            size = self.size_of(study)
            if isinstance(size, Size):
                found |= dict.fromkeys(study.datasets(size.options))
        return list(found)
