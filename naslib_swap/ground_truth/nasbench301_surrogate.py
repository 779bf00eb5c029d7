"""NAS-Bench-301's surrogate, through its package `nasbench301` (an optional dependency).

Neither the package's dependencies nor its models were at hand when this was written: the calls
follow the package's documentation (version 0.3) and are tested against a stand-in only.
"""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

from naslib_swap import spaces
from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.ground_truth.table import GroundTruth, Source

Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
"""What the package's representation "genotype" is."""


def load_surrogate(space: str, task: str, path: Path | None) -> GroundTruth:
    """Open the ensemble in the folder `path`; accuracies are predicted when they are asked for."""
    if path is None or not path.is_dir():
        kind = BadArgument if path is None else BadFile
        raise kind(
            "the source 'nasbench301-surrogate' needs a path: the folder of an ensemble, such as "
            f"nb_models_1.0/xgb_v1.0 (see github.com/automl/nasbench301), not {path}"
        )
    try:
        import nasbench301
    except ImportError as error:
        raise SwapError(
            f"NAS-Bench-301's surrogate needs the package nasbench301 and what that imports: "
            f"pip install nasbench301 ({error})"
        ) from error
    try:
        ensemble = nasbench301.load_ensemble(str(path))
    except (OSError, IndexError, KeyError, ValueError) as error:
        raise BadFile(f"{path} holds no NAS-Bench-301 ensemble: {error!r}") from error
    return GroundTruth(space, task, "nasbench301-surrogate", Predictions(space, ensemble))


class Predictions(dict[str, float]):
    """Accuracies in percent that are predicted, without noise, at the first `predictions[arch]`.

    It has every architecture of the space, and lists those that were asked for.
    """

    def __init__(self, space: str, ensemble: Any) -> None:
        super().__init__()
        self._space, self._ensemble = spaces.get(space), ensemble

    def __contains__(self, text: object) -> bool:
        """Whether there is a prediction for it: for every architecture of the space."""
        try:
            self._space.parse(str(text))
        except SwapError:
            return False
        return True

    def __missing__(self, text: str) -> float:
        """Predict for an architecture in the canonical notation; BadArgument for anything else."""
        from naslib_swap.spaces.darts import read_genotype

        canonical = self._space.encode(self._space.parse(text))
        genotype = read_genotype(canonical)
        if genotype is None:
            raise BadArgument(f"{text!r} is no DARTS cell")
        normal, reduce = (list(cell) for cell in genotype)
        config = Genotype(normal, [2, 3, 4, 5], reduce, [2, 3, 4, 5])
        value = float(self._ensemble.predict(config, representation="genotype", with_noise=False))
        return self.setdefault(canonical, value)


SOURCE = Source("nasbench301-surrogate", load_surrogate, ("nasbench301", "darts"), ("cifar10",))
