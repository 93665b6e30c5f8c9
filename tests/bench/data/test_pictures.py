"""Folders and archives of pictures: split, classes, crop and size, and files that are no pictures."""

import errno
import io
import os
import re
import shutil
import struct
import tarfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import PIL
import pytest
import torch
from PIL import Image, ImageOps

from lipbench.bench.data import load, user_content
from lipbench.bench.data.decoded import Picture, decoded
from lipbench.bench.data.decoding import Format
from lipbench.bench.data.pictures import parse
from lipbench.objectives import BadInput


def png(pixels: Any, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(stream, kind)
    return stream.getvalue()


def noise(seed: int, height: int = 6, width: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(root: Path, names: list[str]) -> dict[str, np.ndarray]:
    made = {}
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made[name] = noise(seed)
        path.write_bytes(png(made[name]))
    return made


def images(pixels: torch.Tensor | None) -> set[bytes]:
    assert pixels is not None
    return {image.permute(1, 2, 0).contiguous().numpy().tobytes() for image in pixels}


SPLIT = ["train/b/1.png", "train/a/2.png", "train/a/3.png", "test/a/4.png", "test/b/5.png", "val/b/6.png"]


@pytest.mark.parametrize("around", ["", "set/", "one/two/"])
def test_folder_with_train_and_test_is_split_by_them_and_its_other_folders_are_the_classes(
    tmp_path: Path, around: str
) -> None:
    made = write(tmp_path, [around + name for name in SPLIT])
    data = load(f"folder:{tmp_path}")
    assert data.shape == (3, 6, 6)
    assert images(data.train) == {made[around + name].tobytes() for name in SPLIT[:3]}
    assert images(data.test) == {made[around + name].tobytes() for name in SPLIT[3:]}
    assert data.labels is not None and data.train is not None
    by_image = {images(one[None]).pop(): label for one, label in zip(data.train, data.labels.tolist(), strict=True)}
    assert [by_image[made[around + name].tobytes()] for name in SPLIT[:3]] == [1, 0, 0]


@pytest.mark.parametrize("held_out", ["val", "valid", "validation"])
def test_folder_with_another_name_for_test_is_split_too(tmp_path: Path, held_out: str) -> None:
    names = [f"{split}/{kind}/{i}.png" for split in ("train", held_out) for kind in ("cat", "dog") for i in range(5)]
    made = write(tmp_path, names)
    data = load(f"folder:{tmp_path}")
    assert images(data.train) == {made[name].tobytes() for name in names[:10]}
    assert images(data.test) == {made[name].tobytes() for name in names[10:]}
    assert data.labels is not None and set(data.labels.tolist()) == {0, 1}


@pytest.mark.parametrize("tops", [("train", "more"), ("test", "val")])
def test_folder_with_half_a_split_has_none(tmp_path: Path, tops: tuple[str, str]) -> None:
    write(tmp_path, [f"{top}/{i:02}.png" for top in tops for i in range(40)])
    data = load(f"folder:{tmp_path}")
    assert data.train is not None and data.labels is not None
    assert 50 < len(data.train) < 75
    assert set(data.labels.tolist()) == {0, 1}


def test_folder_without_a_split_holds_out_about_one_in_five_and_the_same_ones_always(tmp_path: Path) -> None:
    names = [f"{i:03}.png" for i in range(200)]
    made = write(tmp_path / "x", names)
    write(tmp_path / "y", names[::-1])
    first, other = load(f"folder:{tmp_path / 'x'}"), load(f"folder:{tmp_path / 'y'}")
    assert first.train is not None and first.test is not None and other.test is not None
    assert 25 <= len(first.test) <= 55
    assert len(first.train) + len(first.test) == 200
    assert not images(first.train) & images(first.test)
    held = [name for name in names if made[name].tobytes() in images(first.test)]
    again = [name for seed, name in enumerate(names[::-1]) if noise(seed).tobytes() in images(other.test)]
    assert held == sorted(again)
    assert first.labels is None


def test_folder_in_an_archive_gives_what_the_folder_gives(tmp_path: Path) -> None:
    write(tmp_path / "x", SPLIT)
    with tarfile.open(tmp_path / "x.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "x", "pictures")
    plain, packed = load(f"folder:{tmp_path / 'x'}"), load("folder:x.tar.xz", tmp_path)
    assert images(plain.train) == images(packed.train)
    assert images(plain.test) == images(packed.test)
    assert plain.labels is not None and packed.labels is not None
    assert sorted(plain.labels.tolist()) == sorted(packed.labels.tolist())


def test_folder_counts_and_names_what_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    (tmp_path / "train/a/notes.png").write_text("no picture")
    (tmp_path / "train/a/cut.png").write_bytes(png(noise(9, 40, 40))[:200])
    (tmp_path / "train/a/empty.jpg").touch()
    (tmp_path / "readme.txt").write_text("ignored")
    data = load(f"folder:{tmp_path}")
    assert data.train is not None
    assert len(data.train) == 3
    told = "left out: 1 damaged (train/a/cut.png), 1 empty or unreadable (train/a/empty.jpg), 1 of no known format"
    assert f"{tmp_path}: 3 to train on, 3 held out; " in data.source
    assert data.source.endswith(f"{told} (train/a/notes.png)")


def test_folder_counts_what_pillow_fails_on_in_any_way(tmp_path: Path) -> None:
    """It raises a TypeError for a JPEG that is to be turned and has a resolution of the wrong type in EXIF."""
    write(tmp_path, SPLIT)
    # TIFF, little-endian, of two entries (tag, type, count, value): orientation 6, and a resolution that is no number.
    entries = struct.pack("<HHLL", 0x0112, 3, 1, 6) + struct.pack("<HHL4s", 0x011A, 7, 4, b"abcd")
    exif = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 2) + entries + bytes(4)
    Image.fromarray(noise(9)).save(tmp_path / "train/a/turned.jpg", exif=exif)
    with Image.open(tmp_path / "train/a/turned.jpg") as picture, pytest.raises(TypeError):
        ImageOps.exif_transpose(picture)
    assert load(f"folder:{tmp_path}").source.endswith("left out: 1 damaged (train/a/turned.jpg)")


def test_folder_does_not_count_what_memory_was_lacking_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, SPLIT)
    monkeypatch.setattr(Image, "open", Mock(side_effect=MemoryError))
    with pytest.raises(MemoryError):
        load(f"folder:{tmp_path}")


def test_folder_names_some_of_many_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    for i in range(8):
        (tmp_path / f"train/a/x{i}.png").touch()
    source = load(f"folder:{tmp_path}").source
    assert source.endswith("8 empty or unreadable (train/a/x0.png, train/a/x1.png, train/a/x2.png and 5 more)")


def test_folder_is_decoded_once_and_again_when_a_file_changes(tmp_path: Path, home: Path) -> None:
    def kept() -> set[tuple[str, int]]:
        return {(path.name, path.stat().st_mtime_ns) for path in home.rglob("decoded/*/*")}

    write(tmp_path, SPLIT)
    first = load(f"folder:{tmp_path}")
    before = kept()
    second = load(f"folder:{tmp_path}")
    assert kept() == before and len(before) == 4
    assert first.train is not None and second.train is not None
    assert torch.equal(first.train, second.train)
    assert first.source == second.source
    (tmp_path / "train/a/2.png").write_bytes(png(noise(77)))
    assert noise(77).tobytes() in images(load(f"folder:{tmp_path}").train)
    assert kept() > before


def test_folder_is_decoded_again_by_another_version_of_pillow(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, SPLIT)
    for version in ("1.0", "2.0", "2.0"):
        monkeypatch.setattr(PIL, "__version__", version)
        load(f"folder:{tmp_path}")
    assert len(list((home / ".cache" / "lipbench" / "decoded").iterdir())) == 2


def test_decoding_that_is_interrupted_leaves_nothing_in_the_cache(tmp_path: Path, home: Path) -> None:
    write(tmp_path, ["train/1.png", "train/2.png", "test/3.png"])
    (tmp_path / "train/4.png").write_bytes(png(noise(1, 5, 5)))
    with pytest.raises(BadInput, match=r"4\.png has 5×5 pixels, .* give a size, e\.g\. size=64"):
        load(f"folder:{tmp_path}")
    assert not list((home / ".cache" / "lipbench" / "decoded").iterdir())


class Large(bytes):
    """Says that it is 64 MiB long."""

    def __len__(self) -> int:
        return 2**26


@pytest.mark.parametrize(("kind", "total", "together"), [(bytes, 1030, 512), (Large, 21, 4)])
def test_decoded_holds_one_chunk_of_encoded_pictures_at_a_time(kind: type[bytes], total: int, together: int) -> None:
    alive: list[weakref.ref[Picture]] = []
    most = []

    def source() -> Iterator[Picture]:
        for i in range(total):
            picture = Picture(str(i), i % 2 == 0, -1, kind(png(noise(i, 1, 1))))
            alive.append(weakref.ref(picture))
            most.append(sum(one() is not None for one in alive))
            yield picture

    found = decoded("x", [], Format(None), source())
    assert found.train.flatten(1).tolist() == [noise(i, 1, 1).flatten().tolist() for i in range(1, total, 2)]
    assert together <= max(most) <= together + 1  # a chunk, and the last one of that before


@pytest.mark.parametrize("name", ["train.bin", "test.bin", "labels.bin", "about.json"])
@pytest.mark.parametrize("gone", [False, True])
def test_folder_is_decoded_again_where_the_cache_is_damaged(tmp_path: Path, home: Path, name: str, gone: bool) -> None:
    write(tmp_path, SPLIT)
    first = load(f"folder:{tmp_path}")
    assert first.train is not None
    expected = first.train.clone()
    (folder,) = (home / ".cache" / "lipbench" / "decoded").iterdir()
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if not gone:
        (folder / name).write_bytes(content[:-9])
    again = load(f"folder:{tmp_path}")
    assert again.train is not None
    assert torch.equal(again.train, expected)
    assert (folder / name).read_bytes() == content


def test_folder_tells_that_the_disk_is_full(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, SPLIT)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(Path, "write_text", Mock(side_effect=full))  # the last of the four files in the cache
    with pytest.raises(BadInput, match=r"^decoded pictures cannot be kept in .*decoded \(No space left on device\)$"):
        load(f"folder:{tmp_path}")
    assert not list(home.rglob("decoded/*"))


def test_folder_tells_that_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, SPLIT)
    (tmp_path / "file").touch()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "file")
    told = r"^decoded pictures cannot be kept in .*/file/\.cache/lipbench/decoded \(Not a directory\)$"
    with pytest.raises(BadInput, match=told):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "path", "form"),
    [
        ("folder:x", "x", Format(None, "center", 3)),
        ("folder:x/y?size=64&crop=none", "x/y", Format(64, "none", 3)),
        ("folder:/x?channels=1&crop=178&size=32", "/x", Format(32, 178, 1)),
    ],
)
def test_folder_options_are_read(name: str, path: str, form: Format) -> None:
    assert parse(name) == (Path(path), form)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?sise=64", r"unknown option 'sise' \(did you mean 'size'\?\); known: background, channels, crop, size"),
        ("?size=big", r"size=big: must be the side in pixels, e\.g\. size=64"),
        ("?size=0", "size=0: must be"),
        ("?crop=left", r"crop=left: must be center \(the largest centred square\), none"),
        ("?channels=4", r"channels=4: must be 1 \(grey\) or 3 \(RGB\)"),
        ("?background=nothing", "background=nothing: must be the colour behind transparent pixels"),
        ("?background=rgba(0,0,0,0)", "background=.*: must be the colour"),
        ("?size=", "size=: must be"),
    ],
)
def test_folder_refuses_an_option_in_words(query: str, says: str) -> None:
    with pytest.raises(BadInput, match=rf"^folder:x\?{re.escape(query[1:])}: {says}"):
        load(f"folder:x{query}")


def test_folder_refuses_what_holds_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a path must follow"):
        load("folder:")
    with pytest.raises(BadInput, match=f"there is no folder or archive {tmp_path}/nowhere"):
        load("folder:nowhere", tmp_path)
    with pytest.raises(BadInput, match="there is no folder or archive xxx"):
        load(f"folder:{'x' * 300}")
    with pytest.raises(BadInput, match=r"folder:~nobody-of-this-name/x: .*home directory"):
        load("folder:~nobody-of-this-name/x")
    with pytest.raises(BadInput, match=rf"no pictures in {tmp_path}; looked for \.png, .*\.tiff and the like$"):
        load(f"folder:{tmp_path}")
    (tmp_path / "x.zip").write_text("no archive")
    with pytest.raises(
        BadInput, match=r"^folder:x\.zip: .*x\.zip is no folder and no \.tar or \.zip archive that can be read$"
    ):
        load("folder:x.zip", tmp_path)
    write(tmp_path, ["train/1.png", "test/2.png"])
    with pytest.raises(BadInput, match=r"1 readable pictures to train on .*: must be 2 or more"):
        load(f"folder:{tmp_path}")
    write(tmp_path, ["train/1.png", "train/3.png", "test/2.png"])
    with pytest.raises(BadInput, match=r"1 readable picture held out .*: must be 2 or more, or none"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    ("train", "held_out"),
    [
        ("Train", "Test"),
        ("TRAIN", "VAL"),
        ("training", "Validation"),
        ("train2017", "val2017"),
        ("train_images", "imgs-test"),
        ("TrainingSet", "dataset.test"),
    ],
)
def test_folder_with_a_split_in_other_words_is_split_and_says_by_what(
    tmp_path: Path, train: str, held_out: str
) -> None:
    made = write(tmp_path, [f"{train}/1.png", f"{train}/2.png", f"{held_out}/3.png", f"{held_out}/4.png"])
    data = load(f"folder:{tmp_path}")
    assert images(data.test) == {made[f"{held_out}/{i}.png"].tobytes() for i in (3, 4)}
    assert f"2 to train on, 2 held out; 2 held out by the folder {held_out}" in data.source


def test_folder_says_where_no_folder_is_a_split_and_what_lies_beside_one(tmp_path: Path) -> None:
    write(tmp_path / "x", [f"{top}/{i}.png" for top in ("trains", "test_tubes", "valley") for i in range(20)])
    assert "held out by a hash of the name" in load(f"folder:{tmp_path / 'x'}").source
    write(tmp_path / "y", [*SPLIT, "figures/plan.png"])
    assert "1 trained on from beside the folders of the split" in load(f"folder:{tmp_path / 'y'}").source


def test_folder_with_numbers_for_names_has_them_as_classes(tmp_path: Path) -> None:
    names = [f"{user}/{i}.png" for user in (1001, 7, 20240101) for i in range(20)]
    write(tmp_path, names)
    data = load(f"folder:{tmp_path}")
    assert data.labels is not None and data.labels.unique().tolist() == [0, 1, 2]


def test_folder_counts_held_out_pictures_with_the_pixels_of_one_trained_on(tmp_path: Path) -> None:
    made = write(tmp_path, SPLIT)
    Image.fromarray(made["train/a/2.png"]).save(tmp_path / "test/a/copy.bmp")
    Image.fromarray(made["test/a/4.png"]).save(tmp_path / "val/b/again.png")
    assert load(f"folder:{tmp_path}").source.endswith("; 1 of those held out have the pixels of one trained on")


def test_folder_refuses_a_crop_that_is_larger_than_a_picture_and_names_it(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    (tmp_path / "train/wide.png").write_bytes(png(noise(9, 5, 60)))
    with pytest.raises(BadInput, match=r"^folder:.*: train/wide\.png has 60×5 pixels.*crop=6"):
        load(f"folder:{tmp_path}?size=4&crop=6")


def test_folder_is_drawn_on_another_background_in_spite_of_the_cache(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    clear = np.dstack([noise(50), np.zeros((6, 6), np.uint8)])
    (tmp_path / "train/clear.png").write_bytes(png(clear))
    for colour, level in (("white", 255), ("black", 0), ("white", 255)):
        data = load(f"folder:{tmp_path}?background={colour}")
        assert np.full((6, 6, 3), level, np.uint8).tobytes() in images(data.train)
        assert f"1 drawn on {colour} (wholly transparent)" in data.source


def test_folder_tells_of_a_picture_beyond_the_limit_of_pixels(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    Image.new("1", (14000, 14000), 1).save(tmp_path / "train/map.png")
    source = load(f"folder:{tmp_path}?size=6").source
    assert "left out: 1 of more than 178,956,970 pixels, Pillow's limit (train/map.png)" in source


def test_folder_says_all_that_was_done_in_one_line_and_again_from_the_cache(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    (tmp_path / "train/a/large.png").write_bytes(png(noise(9, 40, 40)))
    (tmp_path / "train/a/wide.png").write_bytes(png(noise(8, 20, 40)))
    (tmp_path / "train/a/two\nlines.png").touch()
    first = load(f"folder:{tmp_path}?size=16").source
    for told in ("6 enlarged to 16 pixels", "2 made smaller to 16 pixels", "1 cropped to a square"):
        assert told in first
    assert len(first.splitlines()) == 1
    assert load(f"folder:{tmp_path}?size=16").source == first


def test_folder_of_pictures_that_are_as_they_are_to_be_has_nothing_done_to_them(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    told = "3 to train on, 3 held out; 2 held out by the folder test, 1 held out by the folder val"
    assert load(f"folder:{tmp_path}?size=6").source == f"pictures in {tmp_path}: {told}"


def test_data_without_a_home_say_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    write(tmp_path, SPLIT)
    monkeypatch.setattr(Path, "home", nobody)
    for name in (f"folder:{tmp_path}", "mnist"):
        with pytest.raises(BadInput, match="set HOME"):
            load(name)


def test_folder_is_looked_for_below_the_data_then_beside_the_suite_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / name for name in ("data", "suite", "here")]
    for place in places:
        write(place / "photos", ["a/1.png", "a/2.png", "a/3.png", f"{place.name}.png"])
    monkeypatch.chdir(places[-1])
    for place in places:
        data = load("folder:photos", *places[:2])
        assert f"{Path('photos') if place.name == 'here' else place / 'photos'}:" in data.source
        assert user_content("folder:photos", *places[:2]) == user_content(f"folder:{place}/photos")
        shutil.rmtree(place / "photos")
    with pytest.raises(BadInput, match=f"no folder or archive {places[0]}/photos or {places[1]}/photos or photos$"):
        load("folder:photos", *places[:2])
    assert user_content("folder:photos", *places[:2]) is None
