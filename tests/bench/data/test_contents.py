"""Pictures in folders and archives: links are followed, and nothing vanishes without a word."""

import io
import os
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lipbench.bench.data import Dataset, load, user_content
from lipbench.objectives import BadInput

N = 40
UNREADABLE = (
    r"^folder:\S*: \S*x\.tar (cannot be read to its end \(.*\)|is no folder and no .* archive that can be read)$"
)


def png(seed: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def member(name: str, seed: int) -> tuple[tarfile.TarInfo, io.BytesIO]:
    content = png(seed)
    about = tarfile.TarInfo(name)
    about.size = len(content)
    return about, io.BytesIO(content)


def link(kind: bytes, name: str, target: str) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, target
    return about


def pack(path: Path, mode: str = "w") -> list[int]:
    """An archive of N pictures; where their headers begin."""
    starts = []
    with tarfile.open(path, mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
        for i in range(N):
            starts.append(archive.offset)
            archive.addfile(*member(f"{i:02}.png", i))
    return starts


def size(data: Dataset) -> int:
    assert data.train is not None and data.test is not None
    return len(data.train) + len(data.test)


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_archive_with_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    start = pack(path)[N // 2]
    path.write_bytes(flip(path.read_bytes(), start))
    with pytest.raises(BadInput, match=rf"cannot be read to its end \(damaged at byte {start}, or cut there\)$"):
        load(f"folder:{path}")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_archive_that_is_cut_short_is_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.tar"
    start = pack(path, mode)[N // 2]
    content = path.read_bytes()
    path.write_bytes(content[:start] if mode == "w" else content[: len(content) // 2])
    with pytest.raises(BadInput, match=UNREADABLE):
        load(f"folder:{path}")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_packed_archive_with_a_changed_byte_is_refused(tmp_path: Path, mode: str) -> None:
    """Wherever it is: its sum, at the end of the file, says so if nothing else does."""
    path = tmp_path / "x.tar"
    pack(path, mode)
    content = path.read_bytes()
    for place in range(20, len(content), len(content) // 9):
        path.write_bytes(flip(content, place))
        with pytest.raises(BadInput, match=UNREADABLE):
            load(f"folder:{path}")


def test_archive_may_have_absolute_names(tmp_path: Path) -> None:
    """As tar itself, which takes them for relative ones."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for i in range(N):
            archive.addfile(*member(f"{'/' * (i % 3)}{'train' if i % 2 else 'test'}/{i}.png", i))
    data = load(f"folder:{path}")
    assert data.train is not None and data.test is not None
    assert (len(data.train), len(data.test)) == (N // 2, N // 2)


def test_links_in_an_archive_are_pictures_too(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for i in range(N):
            archive.addfile(*member(f"a/{i:02}.png", i))
        archive.addfile(link(tarfile.LNKTYPE, "b/hard.png", "a/00.png"))
        archive.addfile(link(tarfile.SYMTYPE, "b/soft.png", "../a/01.png"))
        archive.addfile(link(tarfile.SYMTYPE, "b/nowhere.png", "../c/01.png"))
        archive.addfile(link(tarfile.SYMTYPE, "b/itself.png", "itself.png"))
    data = load(f"folder:{path}")
    assert size(data) == N + 2
    assert "left out: 2 empty or unreadable (b/itself.png, b/nowhere.png)" in data.source


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(N):
        (folder / f"{i:02}.png").write_bytes(png(i))
    return folder


def test_links_in_a_folder_are_followed(tmp_path: Path, pictures: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "a").symlink_to(pictures)
    (links / "b").symlink_to(pictures)
    (links / "one.png").symlink_to(pictures / "00.png")
    (links / "none.png").symlink_to(pictures / "none.png")
    data = load(f"folder:{links}")
    assert size(data) == 2 * N + 1
    assert "left out: 1 empty or unreadable (none.png)" in data.source


def test_file_names_may_be_any_bytes(pictures: Path) -> None:
    os.rename(pictures / "00.png", os.fsencode(pictures) + b"/caf\xe9.png")
    Path(os.fsdecode(os.fsencode(pictures) + b"/\xe9.png")).touch()
    data = load(f"folder:{pictures}")
    assert size(data) == N
    assert "left out: 1 empty or unreadable (\\udce9.png)" in data.source
    assert user_content(f"folder:{pictures}") is not None
    with tarfile.open(pictures / "x.tar", "w") as archive:
        archive.add(pictures, filter=lambda about: None if about.name.endswith(".tar") else about)
    packed = load(f"folder:{pictures / 'x.tar'}")
    assert size(packed) == N
    packed.source.encode()


def loop_to_itself(folder: Path) -> None:
    (folder / "again").symlink_to(folder)


def loop_of_two(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "y").mkdir()
    (folder / "x" / "over").symlink_to(folder / "y")
    (folder / "y" / "back").symlink_to(folder / "x")


@pytest.mark.parametrize("tie", [loop_to_itself, loop_of_two])
def test_links_that_lead_in_a_circle_are_left_after_one_turn(pictures: Path, tie: Callable[[Path], None]) -> None:
    tie(pictures)
    assert size(load(f"folder:{pictures}")) == N


def test_user_content_of_an_archive_is_its_pictures_names_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"

    def told(held: dict[str, bytes], mode: str = "w", time: int = 0) -> str | None:
        with tarfile.open(path, mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
            for name, content in held.items():
                about = tarfile.TarInfo(name)
                about.size, about.mtime = len(content), time
                archive.addfile(about, io.BytesIO(content))
        assert mode != "w" or path.stat().st_size == tarfile.RECORDSIZE  # the file's own size tells nothing
        return user_content("folder:x.tar", tmp_path)

    first = told({"a.png": b"aaaaa", "b.png": b"bbbbbb", "notes.txt": b"x"})
    assert first == told({"b.png": b"bbbbbb", "a.png": b"aaaaa"}, "w:gz", time=9)
    other = [{"a.png": b"aaaaa", "c.png": b"bbbbbb"}, {"a.png": b"aaaaa", "b.png": b"bbbbbc"},
             {"a.png": b"bbbbbb", "b.png": b"aaaaa"}]  # fmt: skip
    assert len({first, *map(told, other)}) == 4
    assert told({"notes.txt": b"x"}) is None


def aged(folder: Path, seconds: float) -> None:
    """As if all files had last changed so long ago."""
    then = time.time() - seconds
    for path in folder.rglob("*.*"):
        os.utime(path, (then, then))


@pytest.mark.parametrize("age", [0.0, 100.0])
def test_user_content_changes_with_a_pixel_and_not_with_times_place_or_hidden_files(tmp_path: Path, age: float) -> None:
    folder = tmp_path / "x"
    (folder / "a").mkdir(parents=True)
    for name, grey in (("a/1.bmp", 7), ("2.bmp", 8)):
        Image.new("L", (4, 4), grey).save(folder / name)
    aged(folder, age)
    first = user_content("folder:x", tmp_path)
    assert user_content("folder:x", tmp_path) == first
    (folder / ".git").mkdir()
    Image.new("L", (4, 4)).save(folder / ".git" / "x.bmp")
    aged(folder, 50.0)
    shutil.copytree(folder, tmp_path / "y")
    assert user_content("folder:x", tmp_path) == user_content("folder:y", tmp_path) == first
    size = (folder / "2.bmp").stat().st_size
    Image.new("L", (4, 4), 9).save(folder / "2.bmp")
    assert (folder / "2.bmp").stat().st_size == size
    assert user_content("folder:x", tmp_path) != first
    Image.new("L", (4, 4), 8).save(folder / "2.bmp")
    assert user_content("folder:x", tmp_path) == first


def test_user_content_of_files_that_have_not_changed_is_known_without_reading_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "x" / "1.bmp")
    aged(tmp_path / "x", 100.0)
    first = user_content("folder:x", tmp_path)

    def read(path: Path) -> bytes:
        raise AssertionError(f"{path} is read again")

    monkeypatch.setattr(Path, "read_bytes", read)
    assert user_content("folder:x", tmp_path) == first


def test_zip_with_backslashes_has_the_folders_that_they_stand_for(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i, folder in enumerate(["train"] * 3 + ["test"] * 2):
            about = zipfile.ZipInfo()
            about.filename = f"all\\{folder}\\{i}.png"
            archive.writestr(about, png(i))
    data = load(f"folder:{path}")
    assert "3 to train on, 2 held out; 2 held out by the folder test" in data.source


HIDDEN = [
    ".ipynb_checkpoints/00-checkpoint.png",
    ".git/a.png",
    "a/.thumbnails/large/00.png",
    "._00.png",
    "__MACOSX/._00.png",
    "@eaDir/00.png/thumb.jpg",
    "$RECYCLE.BIN/old.png",
    "#snapshot/00.png",
]


def packed_as(kind: str, folder: Path) -> Path:
    """The folder itself, or an archive of it in which names begin with `./` or with the folder's."""
    if kind == "folder":
        return folder
    path = folder.with_suffix(f".{kind}")
    if kind == "tar":
        with tarfile.open(path, "w") as archive:
            archive.add(folder, ".")
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(folder.rglob("*")):
                packed.write(file, file.relative_to(folder.parent))
    return path


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_hidden_files_are_left_out_and_counted(pictures: Path, kind: str) -> None:
    clean = user_content(f"folder:{packed_as(kind, pictures)}")
    for name in HIDDEN:
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).write_bytes(png(0))
    where = packed_as(kind, pictures)
    data = load(f"folder:{where}")
    assert size(data) == N
    assert data.labels is None
    assert f"left out: {len(HIDDEN)} hidden (" in data.source
    assert user_content(f"folder:{where}") == clean


def test_folder_that_lies_in_a_hidden_one_is_read(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / ".data").mkdir()
    assert size(load(f"folder:{pictures.rename(tmp_path / '.data' / 'x')}")) == N


def test_folder_of_nothing_but_hidden_pictures_says_so(tmp_path: Path) -> None:
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash/a.png").write_bytes(png(0))
    with pytest.raises(BadInput, match=r"no pictures in .* beside 1 hidden"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize("name", ["new.HEIC", "new.avif", "scan.jp2", "raw.nef"])
def test_pictures_that_cannot_be_read_are_counted_by_their_endings(pictures: Path, name: str) -> None:
    (pictures / name).write_bytes(b"something else")
    assert f"left out: 1 of no known format ({name})" in load(f"folder:{pictures}").source


def test_zip_that_is_cut_short_is_refused_and_a_damaged_picture_in_one_is_counted(pictures: Path) -> None:
    path = packed_as("zip", pictures)
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(BadInput, match=r"x?\.zip is no folder and no"):
        load(f"folder:{path}")
    path.write_bytes(flip(content, 120))
    data = load(f"folder:{path}")
    assert size(data) == N - 1
    assert "left out: 1 empty or unreadable (" in data.source
