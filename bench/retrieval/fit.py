"""Logistic regression, small enough to be read: Newton's method with a ridge penalty."""

from collections.abc import Sequence
from math import exp

Vector = list[float]


def fit(rows: Sequence[Sequence[float]], labels: Sequence[bool], *, ridge: float = 1.0, steps: int = 50) -> Vector:
    """Intercept, then one weight for each column, that maximise the likelihood less `ridge`/2 · Σ weight².

    The intercept is not penalised. Method: iteratively reweighted least squares (Hastie et al. 2009, 4.4.1).
    """
    design = [[1.0, *row] for row in rows]
    size = len(design[0])
    weights = [0.0] * size
    for _ in range(steps):
        gradient = [-ridge * weight if at else 0.0 for at, weight in enumerate(weights)]
        hessian = [[ridge if at == to and at else 0.0 for to in range(size)] for at in range(size)]
        for row, label in zip(design, labels, strict=True):
            odds = sum(weight * value for weight, value in zip(weights, row, strict=True))
            chance = 1 / (1 + exp(-max(-60.0, min(60.0, odds))))
            spread = max(chance * (1 - chance), 1e-9)
            for at in range(size):
                gradient[at] += (label - chance) * row[at]
                for to in range(size):
                    hessian[at][to] += spread * row[at] * row[to]
        change = _solve(hessian, gradient)
        weights = [weight + step for weight, step in zip(weights, change, strict=True)]
        if max(map(abs, change)) < 1e-8:
            break
    return weights


def _solve(matrix: list[Vector], right: Vector) -> Vector:
    """Gaussian elimination with pivots, for a matrix that is positive definite."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        for below in range(at + 1, size):
            factor = rows[below][at] / rows[at][at]
            rows[below] = [low - factor * high for low, high in zip(rows[below], rows[at], strict=True)]
    solved = [0.0] * size
    for at in reversed(range(size)):
        known = sum(rows[at][to] * solved[to] for to in range(at + 1, size))
        solved[at] = (rows[at][size] - known) / rows[at][at]
    return solved
