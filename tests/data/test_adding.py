"""``sidebyside data add``: folders of images and files of every format, by path and by address."""

import io
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from sidebyside import UserError
from sidebyside.config.datasets import Dataset
from sidebyside.data.adding import describe
from sidebyside.data.checking import check_images
from sidebyside.data.prepare import prepare
from support.formats import (
    CIFAR,
    CLASSES,
    COUNTS,
    FRACTION,
    GREY,
    KEYS,
    NAMES,
    SOUND,
    assert_prepared,
    assert_read,
    cifar10_members,
    composed,
    draw,
    npz_file,
    picture,
    place_of,
    sentence,
    tar_file,
    write,
    zipped,
)

# Folders of images.


def pairs(dataset: Dataset, *parts: str) -> list[tuple[int, bytes]]:
    """Return the labels and pixels of a dataset, sorted: folders promise no order."""
    arrays = prepare(dataset, "channels_first")
    return sorted(
        (int(label), arrays.pixels(image[None])[0].tobytes())
        for part in parts
        for image, label in zip(
            arrays.read(f"{part}_images"), arrays.read(f"{part}_classes"), strict=True
        )
    )


def in_folder(folder: Path, mode: str = "L") -> list[tuple[int, bytes]]:
    """Return the labels and pixels of the images in a folder, sorted."""
    return sorted(
        (label, Image.open(path).convert(mode).tobytes())
        for label, name in enumerate(NAMES)
        for path in (folder / name).iterdir()
    )


@pytest.mark.parametrize(("mode", "ending"), [("L", "png"), ("RGB", "JPG"), ("L", "jpeg")])
def test_a_divided_folder_becomes_arrays(command, tmp_path, mode, ending):
    for part, count in (("train", 8), ("test", 2)):
        draw(tmp_path / "zoo" / part, count, mode, ending)
    command("data", "add", tmp_path / "zoo", "--name", "zoo")
    own = composed("zoo")
    assert own.class_names == NAMES
    assert own.image_shape == ([5, 4] if mode == "L" else [5, 4, 3])
    for part in COUNTS:
        assert pairs(own, part) == in_folder(tmp_path / "zoo" / part, mode)


def test_a_share_of_each_class_becomes_the_test_set(command, zoo):
    command("data", "add", zoo, "--name", "zoo", "--test-fraction", FRACTION)
    own = composed("zoo")
    assert pairs(own, "train", "test") == in_folder(zoo)
    assert np.bincount([label for label, _ in pairs(own, "test")]).tolist() == [3, 3, 3]
    assert own.size == 27


def test_the_same_images_elsewhere_are_the_same_dataset(command, zoo, tmp_path):
    command("data", "add", zoo, "--name", "zoo")
    before = pairs(composed("zoo"), "train")
    moved = tmp_path / "moved"
    shutil.copytree(zoo, moved)
    (moved / ".DS_Store").touch()
    (moved / "ant" / ".thumbnails").mkdir()
    files = [describe(str(place), "zoo", 0.2).content["files"] for place in (zoo, moved)]
    assert files[0] == files[1]
    command("data", "add", moved, "--name", "moved")
    assert pairs(composed("moved"), "train") == before


def test_one_image_in_colour_makes_all_of_them_so(command, zoo):
    picture(0, 0, "RGB").save(zoo / "ant" / "0.png")
    command("data", "add", zoo, "--name", "zoo")
    own = composed("zoo")
    assert own.image_shape == [5, 4, 3]
    assert pairs(own, "train", "test") == in_folder(zoo, "RGB")


def test_an_image_is_learnt_as_it_was_held(command, zoo):
    (path, *_) = sorted((zoo / NAMES[0]).iterdir())
    turned = Image.open(path)
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    turned.save(path, exif=exif)
    command("data", "add", str(zoo), "--name", "zoo")
    upright = ImageOps.exif_transpose(Image.open(path)).tobytes()
    assert upright != Image.open(path).tobytes()
    assert (0, upright) in pairs(composed("zoo"), "train", "test")


def test_an_image_that_changed_since_is_not_prepared(command, zoo):
    command("data", "add", zoo, "--name", "zoo")
    picture(9, 9).save(zoo / "ant" / "3.png")
    own = composed("zoo")
    with pytest.raises(UserError, match=f"images:{zoo}: serves wrong bytes"):
        prepare(own, "channels_last")
    (zoo / "ant" / "3.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match=f"images:{zoo}: {zoo}/ant/3.png can't be read"):
        prepare(own, "channels_last")


def test_more_classes_than_labels_have_values_are_refused(command, tmp_path):
    content = io.BytesIO()
    picture(0, 0).save(content, "PNG")
    for part in COUNTS:
        for label in range(257):
            path = tmp_path / "zoo" / part / f"{label:03}" / "0.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(content.getvalue())
    code, said = command("data", "add", tmp_path / "zoo", "--name", "zoo")
    assert code == 2
    assert "256" in sentence(said)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def replaced(path: Path, image: Image.Image, form: str = "PNG") -> None:
    image.save(path, form)


MALFORMED_IMAGES = {
    "of another size": (lambda path: replaced(path, Image.new("L", (7, 6))), "sizes .*7x6.*scale"),
    "text": (lambda path: path.write_text("an ant"), "0.png can't be read .* Replace it"),
    "empty": (lambda path: path.write_bytes(b""), "0.png can't be read .* Replace it"),
    "cut short": (cut, "0.png can't be read .* Replace it"),
    "a GIF": (lambda path: replaced(path, picture(0, 0), "GIF"), "0.png can't be read"),
    "transparent": (
        lambda path: replaced(path, Image.new("RGBA", (4, 5))),
        "0.png has RGBA pixels .* save it in grey or in RGB",
    ),
    "of 16 bits": (
        lambda path: replaced(path, Image.new("I;16", (4, 5))),
        "0.png has I;16 pixels .* save it in grey or in RGB",
    ),
    "of four inks": (
        lambda path: replaced(path, Image.new("CMYK", (4, 5)), "JPEG"),
        "0.png has CMYK pixels .* save it in grey or in RGB",
    ),
    "huge": (
        lambda path: replaced(path, Image.new("1", (4097, 4096))),
        "0.png has 4097x4096 pixels, too many",
    ),
    "a note beside it": (
        lambda path: path.with_name("notes.txt").touch(),
        "notes.txt is no PNG and no JPEG file: convert it, or move it",
    ),
    "a folder beside it": (
        lambda path: path.with_name("more").mkdir(),
        "more is no PNG and no JPEG file: convert it, or move it",
    ),
    "no image of its class": (
        lambda path: shutil.rmtree(path.parent) or path.parent.mkdir(),
        "ant holds no images: add some, or remove the folder",
    ),
    "the only class": (
        lambda path: [shutil.rmtree(path.parents[1] / name) for name in NAMES[1:]],
        "zoo holds 1 folders: .* 2 to 256 classes is",
    ),
    "the only one of its class": (
        lambda path: [path.with_name(f"{number}.png").unlink() for number in range(1, 12)],
        "has 1, 12, 12 images of its classes, too few .* --test-fraction",
    ),
}


@pytest.mark.parametrize(("change", "words"), MALFORMED_IMAGES.values(), ids=MALFORMED_IMAGES)
def test_a_malformed_folder_is_refused_in_a_sentence(command, configs, zoo, change, words):
    change(zoo / "ant" / "0.png")
    code, said = command("data", "add", zoo, "--name", "zoo")
    assert code == 2
    assert sentence(said).startswith(f"error: {zoo}")
    assert re.search(words, said)
    assert not (configs / "zoo.yaml").exists()


def test_other_classes_in_the_test_set_are_refused(command, tmp_path):
    for part in COUNTS:
        draw(tmp_path / "zoo" / part, 2)
    (tmp_path / "zoo" / "test" / "cat").rename(tmp_path / "zoo" / "test" / "dog")
    code, said = command("data", "add", tmp_path / "zoo", "--name", "zoo")
    assert code == 2
    assert "hold other classes: ant, bee, cat and ant, bee, dog" in sentence(said)


@pytest.mark.parametrize("name", ["${x}", "a$b{c}", "1e3", "null"])
def test_a_folder_is_called_as_it_is_or_refused(command, configs, zoo, name):
    (zoo / NAMES[0]).rename(zoo / name)
    code, said = command("data", "add", zoo, "--name", "zoo")
    if code:
        assert "class_names can't be written" in sentence(said)
        assert not (configs / "zoo.yaml").exists()
    else:
        assert name in composed("zoo").class_names


# Files.


def sound_ones(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sound", [SOUND[name] for name in names], ids=names)


@sound_ones("idx", "idx as .gz", "npz", "npz of colour, compressed", "cifar10", "cifar100")
def test_what_is_added_by_its_path_is_prepared(added, tmp_path, sound):
    folder = tmp_path / "own"
    folder.mkdir()
    for name, content in sound.files.values():
        (folder / name).write_bytes(content)
    assert_prepared(added(place_of(sound, folder)), sound.arrays)


@sound_ones("idx as .gz", "npz", "cifar10")
def test_what_is_added_by_its_address_is_read(added, server, sound):
    write(server.folder, sound.files)
    assert_read(added(place_of(sound, server.url("well"))), sound.arrays)


def test_idx_files_of_colour_are_added(added, tmp_path):
    sound = SOUND["idx of colour"]
    assert_read(added(write(tmp_path / "own", sound.files)), sound.arrays)


def test_a_name_is_given_once(command, configs, zoo):
    command("data", "add", zoo, "--name", "zoo")
    path = configs / "zoo.yaml"
    before = path.read_bytes()
    code, said = command("data", "add", zoo, "--name", "zoo", "--test-fraction", "0.5")
    assert code == 2
    assert sentence(said).startswith(f"error: {path} is there already: choose another --name")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_a_dataset_that_is_shipped_is_not_replaced(command, zoo, name):
    code, said = command("data", "add", zoo, "--name", name)
    assert code == 2
    assert "is there already" in sentence(said)


def test_a_dataset_of_the_library_is_not_hidden(command, zoo, tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path / "own"))
    code, said = command("data", "add", zoo, "--name", "digits")
    assert code == 2
    assert "dataset=digits is one of the library's" in sentence(said)


def test_a_link_is_read_by_its_own_name(added, tmp_path):
    (tmp_path / "5d41402abc").write_bytes(npz_file(GREY))
    (tmp_path / "some.npz").symlink_to("5d41402abc")
    assert_read(added(tmp_path / "some.npz"), GREY)


def test_disputed_labels_are_those_of_test_images(added, configs, tmp_path):
    (tmp_path / "some.npz").write_bytes(npz_file(GREY))
    added(tmp_path / "some.npz")
    with (configs / "some.yaml").open("a") as stream:
        stream.write(f"disputed: [0, {len(GREY['test_labels'])}]\n")
    with pytest.raises(UserError, match="label of test image 8 is disputed, and there are 8"):
        prepare(composed("some"), "channels_last")


REFUSED = {
    "a path as name": (["{zoo}", "--name", "../zoo"], "--name ../zoo won't do: use letters"),
    "a hidden name": (["{zoo}", "--name", ".zoo"], "--name .zoo won't do: use letters"),
    "no name": (["{zoo}"], "Missing option '--name'"),
    "all for the test": (
        ["{zoo}", "--name", "zoo", "--test-fraction", "1"],
        "'--test-fraction': 1.0 is not in the range 0<x<1",
    ),
    "nothing": (["{zoo}/nowhere", "--name", "zoo"], "nowhere isn't there: give a folder"),
    "another format": (["{zoo}/ant/0.png", "--name", "zoo"], "0.png is none of the formats"),
    "a missing file": (["{url}/none.npz", "--name", "zoo"], "none.npz answers 404"),
    "nobody": (["http://127.0.0.1:9/a.npz", "--name", "zoo"], "a.npz can't be read"),
    "no address at all": (
        ["http://[::1/a.npz", "--name", "zoo"],
        "[::1/a.npz is no address",
    ),
    "nobody's folder": (["~nobody-is-called-so/a.npz", "--name", "zoo"], "a.npz isn't there"),
    "no address": (["http:///a.npz", "--name", "zoo"], "a.npz can't be read"),
    "a transfer broken off": (["{cut}/some.npz", "--name", "some"], "/cut/some.npz"),
    "a name too long": (
        [f"http://{'x' * 64}/some.npz", "--name", "some"],
        f"http://{'x' * 64}/some.npz",
    ),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_added_is_refused_in_a_sentence(
    command, configs, server, zoo, arguments, words
):
    before = sorted(configs.iterdir())
    write(server.folder, SOUND["npz"].files)
    places = {"zoo": zoo, "url": server.url("well"), "cut": server.url("cut")}
    named = [argument.format(**places) for argument in arguments]
    code, said = command("data", "add", *named)
    assert code == 2
    assert sentence(said).startswith("error: ")
    assert words in said
    assert sorted(configs.iterdir()) == before


def test_what_is_compressed_on_the_way_is_added(added, server):
    write(server.folder, SOUND["npz"].files)
    assert_read(added(f"{server.url('encoding')}/some.npz"), GREY)


def test_a_label_that_no_image_has_is_told(command, tmp_path):
    path = tmp_path / "some.npz"
    from_one = {key: GREY[role] + 1 for role, key in KEYS.items() if role.endswith("labels")}
    path.write_bytes(npz_file(GREY, **from_one))
    code, said = command("data", "add", path, "--name", "some")
    assert code == 0
    assert composed("some").classes == CLASSES + 1
    assert "No training image has the label 0: labels count from 0" in said
    path.write_bytes(npz_file(GREY))
    assert "No training image" not in command("data", "add", path, "--name", "sound")[1]


def test_a_damaged_cifar10_is_refused_for_what_is_wrong(command, tmp_path):
    path = tmp_path / "some.tar.gz"
    members = cifar10_members(CIFAR)
    first = next(iter(members))
    path.write_bytes(zipped(tar_file({**members, first: members[first][:-1]})))
    code, said = command("data", "add", path, "--name", "some")
    assert code == 2
    assert "data_batch_1.bin has 15364 bytes" in said


def archived(**instead: object) -> Callable[[Path], Path]:
    def put(folder: Path) -> Path:
        (folder / "some.npz").write_bytes(npz_file(GREY, **instead))
        return folder / "some.npz"

    return put


def spaced(folder: Path) -> Path:
    (folder / "my data.npz").write_bytes(npz_file(GREY))
    return folder / "my data.npz"


def called(name: str) -> Callable[[Path], Path]:
    def draw_so(folder: Path) -> Path:
        draw(folder / "zoo", 12)
        (folder / "zoo" / "ant").rename(folder / "zoo" / name)
        return folder / "zoo"

    return draw_so


def few(folder: Path) -> Path:
    return draw(folder / "zoo", 4)


ODD = {
    "sound": (archived(), "some"),
    "a name with a dot": (archived(), "v1.2"),
    "folders called in letters of all kinds": (called("ameise-\N{BUG} [x]: #1"), "some"),
    "a file's name with a space": (spaced, "some"),
    "a name that is a number": (archived(), "2024"),
    "a name that is null": (archived(), "null"),
    "a name that ends as a file's": (archived(), "a.yaml"),
    "one class": (archived(y_train=np.zeros(25, int), y_test=np.zeros(8, int)), "some"),
    "a label too few": (archived(y_train=GREY["train_labels"][1:]), "some"),
    "test images of another size": (archived(x_test=np.ones((8, 3, 3), np.uint8)), "some"),
    "a class in the test set alone": (archived(y_test=np.full(8, 3)), "some"),
    "a folder called 1e5": (called("1e5"), "some"),
    "a folder called in bytes": (called(os.fsdecode(b"\xff\xfe")), "some"),
    "a folder called as a variable": (called("${oc.env:HOME}"), "some"),
    "too few to hold some out": (few, "some"),
}
ADDED = {"sound", "a name with a dot", "folders called in letters of all kinds"}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_added_can_be_used_or_nothing_is_added(command, configs, tmp_path, kind):
    put, name = ODD[kind]
    place = put(tmp_path)
    code, said = command("data", "add", place, "--name", name)
    path = configs / f"{name}.yaml"
    assert (code == 0) == (kind in ADDED), said
    if code:
        assert sentence(said).startswith("error: ")
        assert not path.exists()
        return
    own = composed(name)
    check_images(own)
    prepare(own, "channels_last")
    if place.is_dir():
        assert own.class_names == sorted(folder.name for folder in place.iterdir())


def test_data_are_added_where_there_are_no_configs_yet(command, zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(tmp_path / "installed"))
    (tmp_path / "installed").mkdir()
    code, said = command("data", "add", zoo, "--name", "zoo")
    assert code == 0, said
    assert (tmp_path / "installed" / "conf" / "dataset" / "zoo.yaml").is_file()
