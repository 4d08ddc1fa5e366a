"""Variants that are one network under several names."""

from types import SimpleNamespace

from sidebyside.analysis.identical import counted_once, identical_variants


def runs(**weights):
    """Return runs of variants: by name the digests of seeds 0, 1, ..."""
    return [
        SimpleNamespace(variant=name, seed=seed, weights_digest=digest)
        for name, digests in weights.items()
        for seed, digest in enumerate(digests)
    ]


def test_variants_with_the_same_weights_in_every_seed_are_found():
    found = identical_variants(runs(a=["1", "2"], b=["3", "4"], c=["1", "2"], d=["1", "5"]))
    assert found == [["a", "c"]]


def test_only_common_seeds_count():
    assert identical_variants(runs(a=["1", "2"], b=["1"])) == [["a", "b"]]
    assert identical_variants(runs(a=["1"], b=["2"])) == []


def test_of_a_group_one_is_kept():
    seeds, groups = {name: [0, 1] for name in "abcd"}, [["a", "c"]]
    assert counted_once(seeds, groups, None) == ["a", "b", "d"]
    assert counted_once(seeds, groups, "c") == ["b", "c", "d"]
    assert counted_once(seeds, groups, "d") == ["a", "b", "d"]
    assert counted_once(seeds | {"a": [0]}, groups, None) == ["b", "c", "d"]
