def test_composes(compose):
    from sidebyside.config import check
    assert check(compose("seed=0")).seed == 0
