"""Bundles in each place that several machines reach: whole, sound, and of two writers one's."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidebyside import UserError
from sidebyside.files import file_digest
from sidebyside.storage.shared.archives import pack
from sidebyside.storage.shared.bundles import Bundle, SharedStore
from sidebyside.storage.shared.folder import UNFINISHED
from sidebyside.storage.shared.interface import StoreError
from sidebyside.storage.shared.opened import check_usable, objects_at
from support.s3 import BUCKET

KEY = "9f" * 32
FILES = {"model.json": b"{}", "weights.h5": bytes(range(256)) * 40}


@pytest.fixture
def shared(place):
    """A store in an empty place."""
    return SharedStore(place(), patience=2)


def contents(shared, bundle, folder):
    """Return what a bundle holds, None where it isn't what was put there."""
    folder.mkdir(exist_ok=True)
    sound = shared.get(bundle, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()} if sound else None


def packed(folder, files=FILES):
    """Return an archive and the bundle that it would be."""
    archive = folder / "packed"
    pack(files, archive)
    return archive, Bundle("runs", KEY, file_digest(archive), archive.stat().st_size)


def test_what_is_put_there_once_comes_back_as_it_was(shared, place, tmp_path):
    check_usable(shared)
    assert shared.all("runs") == []
    assert shared.put("runs", KEY, FILES)
    assert not shared.put("runs", KEY, {"other": b""})
    elsewhere = SharedStore(place())
    [bundle] = elsewhere.find("runs", KEY)
    assert elsewhere.all("runs") == [bundle]
    assert elsewhere.find("runs", KEY[:-1] + "a") == elsewhere.all("data") == []
    assert contents(elsewhere, bundle, tmp_path / "arrived") == FILES
    elsewhere.remove(bundle)
    elsewhere.remove(bundle)
    assert shared.find("runs", KEY) == []
    assert not shared.get(bundle, tmp_path)


def test_of_two_that_write_at_once_either_will_do(place, tmp_path):
    both = threading.Barrier(2)

    def put(content):
        shared = SharedStore(place())
        both.wait()
        shared.put("runs", KEY, {"timing.json": content})

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(put, [b"1" * 10**6, b"2" * 10**6]))
    shared = SharedStore(place())
    found = shared.find("runs", KEY)
    assert 1 <= len(found) <= 2
    for bundle in found:
        arrived = contents(shared, bundle, tmp_path / bundle.digest)
        assert arrived["timing.json"] in (b"1" * 10**6, b"2" * 10**6)


def test_a_folder_that_goes_during_an_upload_is_not_made_anew(tmp_path):
    root, aside = tmp_path / "shared", tmp_path / "aside"
    root.mkdir()
    objects = objects_at(str(root))
    names = (f"runs/{i:04d}/{i}" for i in range(100_000))
    for _ in range(30):
        with ThreadPoolExecutor() as pool:
            uploads = pool.submit(lambda: [objects.write(name, bytes(50_000)) for name in names])
            time.sleep(0.005)
            root.rename(aside)
            with pytest.raises(OSError, match=r"gone|No such file"):
                uploads.result(timeout=60)
        assert not root.exists()
        aside.rename(root)


def test_an_upload_that_was_cut_is_not_there_and_is_replaced(shared, tmp_path):
    archive, bundle = packed(tmp_path)
    cut = tmp_path / "cut"
    cut.write_bytes(archive.read_bytes()[:-1])
    shared.objects.upload(cut, bundle.file)
    assert shared.all("runs") == shared.find("runs", KEY) == []
    assert shared.put("runs", KEY, FILES)
    assert contents(shared, bundle, tmp_path / "arrived") == FILES


def test_a_damaged_bundle_is_never_taken_and_is_replaced(shared, tmp_path, capsys):
    archive, bundle = packed(tmp_path)
    content = bytearray(archive.read_bytes())
    content[-2000] ^= 1
    (tmp_path / "damaged").write_bytes(content)
    shared.objects.upload(tmp_path / "damaged", bundle.file)
    [found] = shared.find("runs", KEY)
    assert contents(shared, found, tmp_path / "arrived") is None
    assert list((tmp_path / "arrived").iterdir()) == []
    assert "is damaged and removed" in capsys.readouterr().err
    assert shared.find("runs", KEY) == []
    assert shared.put("runs", KEY, FILES)
    assert contents(shared, bundle, tmp_path / "arrived") == FILES


def test_of_several_that_create_a_file_one_is_told_so(request, place):
    opened = [place() for _ in range(4)]
    together = threading.Barrier(4)

    def create(objects):
        together.wait()
        return objects.create("leases/9f/lease.json", b"{}")

    with ThreadPoolExecutor(4) as threads:
        created = list(threads.map(create, opened))
    assert any(created)
    if "mlflow" not in request.node.name:  # which has no conditional upload
        assert created.count(True) == 1
    assert not opened[0].create("leases/9f/lease.json", b"{}")


class OldDriver(MemoryFileSystem):
    """A driver that knows no exclusive writing, as they were written before fsspec had it."""

    protocol = "old"

    def pipe_file(self, path, value):
        super().pipe_file(path, value)


def test_a_driver_without_exclusive_writing_creates_a_file_once():
    fsspec.register_implementation("old", OldDriver, clobber=True)
    objects = objects_at("old://team")
    assert objects.create("leases/9f/lease.json", b"{}")
    assert not objects.create("leases/9f/lease.json", b"other")
    assert objects.read("leases/9f/lease.json") == b"{}"


@pytest.mark.slow
def test_a_server_that_is_away_for_a_moment_is_asked_again(s3, bare_home, tmp_path):
    shared = SharedStore(objects_at(f"s3://{BUCKET}/away"), patience=30)
    assert shared.put("runs", KEY, FILES)
    port = s3.port
    s3.stop()
    with pytest.raises(StoreError, match="doesn't answer as it should"):
        SharedStore(objects_at(f"s3://{BUCKET}/away"), patience=0).find("runs", KEY)

    def return_later():
        time.sleep(1)
        s3.__init__(port)
        s3.start()

    thread = threading.Thread(target=return_later)
    thread.start()
    [bundle] = shared.find("runs", KEY)
    thread.join()
    assert contents(shared, bundle, tmp_path / "arrived") == FILES


@pytest.mark.parametrize("odd", ["../outside", "sub/file", "/tmp/outside", ".hidden"])
def test_a_bundle_with_files_that_lead_elsewhere_is_not_taken(place, tmp_path, odd):
    shared = SharedStore(place())
    shared.put("runs", KEY, {odd: b"content", "plain": b""})
    [bundle] = shared.find("runs", KEY)
    assert contents(shared, bundle, tmp_path / "arrived") is None
    assert list((tmp_path / "arrived").iterdir()) == []
    assert shared.find("runs", KEY) == []


names = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,30}", fullmatch=True)


@given(files=st.dictionaries(names, st.binary(max_size=600), max_size=4), data=st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_byte_is_changed_a_bundle_arrives_as_it_was_or_not_at_all(
    files, data, bare_home, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("any")
    (folder / "shared").mkdir()
    shared = SharedStore(objects_at(str(folder / "shared")), patience=0)
    shared.put("runs", KEY, files)
    [bundle] = shared.all("runs")
    pack(dict(reversed(files.items())), folder / "again")
    assert file_digest(folder / "again") == bundle.digest  # the same files, the same bundle
    stored = folder / "shared" / bundle.file
    content = bytearray(stored.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    change = data.draw(st.integers(0, 255))
    content[at] ^= change
    stored.write_bytes(content)
    assert contents(shared, bundle, folder / "arrived") == (None if change else files)
    assert not any((folder / "shared" / UNFINISHED).iterdir())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("relative/folder", "no absolute path"),
        ("file:relative", "no absolute path"),
        ("file://tmp", "on a machine called tmp. .* three slashes: file:///tmp"),
        ("file://mnt/tmp", "three slashes: file:///mnt/tmp"),
        ("/no/such/folder", "is no folder here: make it once, or mount it"),
        ("nothing://a:secret@host/x", "Protocol not known: nothing"),
        ("gs://bucket/folder", "needs a package that isn't installed"),
    ],
)
def test_an_address_that_will_not_do_is_named_in_a_sentence(bare_home, address, said):
    with pytest.raises(UserError, match=said) as raised:
        check_usable(SharedStore(objects_at(address)))
    assert "secret" not in str(raised.value)
    assert address.partition("secret")[0] in str(raised.value)


def test_a_folder_is_the_one_that_its_address_names(tmp_path):
    (folder := tmp_path / "50 % #1?").mkdir()
    for address in (str(folder), folder.as_uri(), f"file://localhost{tmp_path}/50 %25 #1?"):
        assert objects_at(address).address == str(folder)


def test_a_folder_that_cannot_be_written_is_named(bare_home, tmp_path):
    (tmp_path / UNFINISHED).write_text("in the way")
    with pytest.raises(UserError, match=r"The shared store .* set store\.uri or SIDEBYSIDE_STORE"):
        check_usable(SharedStore(objects_at(str(tmp_path))))


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_named(bare_home, s3):
    with pytest.raises(
        UserError,
        match=r"s3://no-such-bucket/x doesn't answer as it should .*bucket does not exist",
    ):
        check_usable(SharedStore(objects_at("s3://no-such-bucket/x")))
