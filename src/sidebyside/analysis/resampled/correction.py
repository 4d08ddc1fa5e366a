"""The corrected resampled t test: what overlapping training images leave of a sample of runs.

Under cross-validation each run is tested on images of its own, but two runs train for the most part
on the same images, and so their errors, and differences of errors, go together. The variance s^2 of
n of them is too small for the mean of new ones: divided by n it rejects a true null hypothesis far
too often. With n_test images that test a run and n_train that train it,

    variance of the mean = (1 / n + n_test / n_train) s^2,  n - 1 degrees of freedom

(Nadeau & Bengio 2003, "Inference for the generalization error", Machine Learning 52: 239-281; for
repeated folds Bouckaert & Frank 2004, "Evaluating the replicability of significance tests for
comparing learning algorithms"). It takes the correlation of two runs to be n_test / (n_test +
n_train), which is an approximation: no estimator of this variance is without bias for all data
(Bengio & Grandvalet 2004, "No unbiased estimator of the variance of k-fold cross-validation").
docs/crossvalidation.md has what simulation makes of it.
"""


def overlap(folds: int) -> float:
    """Return n_test / n_train of cross-validation with so many folds; 0 for 1, which is none."""
    return 0.0 if folds == 1 else 1 / (folds - 1)


def effective(n: int, folds: int) -> float:
    """Return the number of independent values whose mean has as much variance as that of n."""
    return n / (1 + n * overlap(folds))


def whole(n: int, folds: int) -> int:
    """Return the next larger number of runs that makes whole repetitions of the folds."""
    return -(-n // folds) * folds
