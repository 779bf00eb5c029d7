"""`swap_re`: SWAP-NAS as a NASLib optimiser.

Architectures are drawn, mutated and scored natively; NASLib's graphs are built for what NASLib asks
for: the statistics of an epoch and the final architecture. Accuracies are never needed. Where a
benchmark knows them they are reported, elsewhere -1, NASLib's own sign for unknown.
"""

from __future__ import annotations

import ast
import json
import logging
from dataclasses import asdict
from typing import Any

import torch
from naslib.optimizers.core.metaclasses import MetaOptimizer
from naslib.search_spaces.core.query_metrics import Metric

from naslib_swap import __version__, combinations, proxies, spaces
from naslib_swap.combinations import Combination
from naslib_swap.errors import BadArgument, BadFile, SwapError, Unscorable
from naslib_swap.optimizers import checkpoint
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, Failure, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting
from naslib_swap.plugin import failure, live, measures, settings
from naslib_swap.plugin.benchmarks import UNKNOWN, LazyApi, unknown
from naslib_swap.plugin.placeholders import MissingPackage

logger = logging.getLogger("naslib.swap")


class SwapRE(MetaOptimizer):
    """Evolution guided by SWAP-Score; an epoch is one member of the first population, or one cycle.

    Reads from `config.search`: `epochs`, `population_size`, `sample_size`, as NASLib's
    `RegularizedEvolution` does, and `mutations`, `offspring`, `crossover`, `removal` (see
    `EvolutionSettings`), `proxy` ("swap", any measure of NASLib's, or a combination such as
    "az_nas") and `weighting` ("default": mu and sigma as for `reg_swap`, none with a combination;
    "adaptive"; "none"), which all have defaults.

    Raises
    ------
    BadArgument
        A setting out of its range; a search space that naslib-swap does not build itself.
    """

    using_step_function = False

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.dataset = config.dataset
        self.epochs = config.search.epochs
        self.proxy = config.search.get("proxy", "swap")
        self.evolution: Evolution | None = None

    @failure.loud
    def adapt_search_space(
        self, search_space: Any, scope: Any = None, dataset_api: Any = None
    ) -> None:
        """Take the space to search; accuracies are read from `dataset_api` where it has them."""
        name = search_space.get_type()
        if name not in spaces.names():
            raise BadArgument(
                f"swap_re cannot search {name!r}: expected one of {', '.join(spaces.names())}"
            )
        self.search_space = search_space
        self.scope = scope if scope else search_space.OPTIMIZER_SCOPE
        self.dataset_api = dataset_api
        settled = _evolution_settings(self.config, name)
        self.evolution = Evolution(
            spaces.get(name),
            each(_Measure(name, self.dataset, self.proxy, settled.combination)),
            settled,
            self.config.seed,
        )
        if self.epochs <= self.evolution.settings.population:
            logger.warning(
                "swap_re: %d epochs fill a population of %d and leave no cycle, which is a random "
                "search: give more epochs or a smaller search.population_size",
                self.epochs,
                self.evolution.settings.population,
            )

    @failure.loud
    def new_epoch(self, epoch: int) -> None:
        """Score one more random architecture, or, once the population is full, run a cycle."""
        evolution = self._adapted()
        if evolution.state.exhausted:
            return
        records = evolution.cycle() if evolution.filled else evolution.fill(1)
        while not evolution.state.population:  # NASLib asks for the best after each epoch
            records = evolution.fill(1)
        for failed in (one for one in records if isinstance(one, Failure)):
            logger.warning("%s is left out: %s", failed.arch, failed.error)
        best = evolution.best()
        logger.info(
            "epoch %d: %d scored, best %s with %s %.6g and %.6g thousand parameters",
            epoch,
            len(evolution.state.history),
            best.arch,
            "score" if best.score is not None else self.proxy,
            best.score if best.score is not None else evolution.value(best.arch),
            best.size,
        )
        if not records:
            logger.info("no unseen architecture left: later epochs change nothing")

    def train_statistics(self, report_incumbent: bool = True) -> tuple[Any, Any, Any, Any]:
        """Return train, validation and test accuracy and training time; -1 for what is unknown."""
        evolution = self._adapted()
        key = evolution.top(1)[0].arch if report_incumbent else evolution.state.population[-1]
        graph = self._graph(key, with_network=False)
        metrics = ("TRAIN_ACCURACY", "VAL_ACCURACY", "TEST_ACCURACY", "TRAIN_TIME")
        known = [self._query(graph, Metric[metric]) for metric in metrics]
        return known[0], known[1], known[2], known[3]

    def test_statistics(self) -> Any:
        """Return all that the benchmark knows of the best architecture; -1 where it is nothing."""
        graph = self._graph(self._adapted().top(1)[0].arch, with_network=False)
        return self._query(graph, Metric.RAW)

    def get_final_architecture(self) -> Any:
        """Return the fittest architecture ever scored, as NASLib's graph."""
        key = self._adapted().top(1)[0].arch
        try:
            graph = self._graph(key, with_network=True)
        except MissingPackage as error:
            logger.warning("%s is returned without its network: %s", key, error)
            graph = self._graph(key, with_network=False)
        accuracy = "unknown"
        if self._is_known(graph, Metric.VAL_ACCURACY):
            accuracy = graph.query(Metric.VAL_ACCURACY, self.dataset, dataset_api=self.dataset_api)
        else:
            # NASLib's trainer asks once more, at the very end, and would fail there.
            graph.query = _unknown
        logger.info("final architecture %s: validation accuracy %s", key, accuracy)
        return graph

    def get_op_optimizer(self) -> Any:
        """Return the optimiser with which a final architecture would be trained."""
        return torch.optim.SGD

    def get_checkpointables(self) -> dict[str, Any]:
        """Return what NASLib's checkpoints hold: the whole state of the search."""
        return {"model": _Checkpointed(self._adapted(), self._identity())}

    def get_model_size(self) -> float:
        """Return the megabytes of weights held: none, networks are freed once they are scored."""
        return 0.0

    def _adapted(self) -> Evolution:
        if self.evolution is None:
            raise SwapError("swap_re has no search space yet: call adapt_search_space first")
        return self.evolution

    def _graph(self, key: str, *, with_network: bool) -> Any:
        """Make a NASLib graph of an architecture; without a network it can only be queried."""
        instantiate = self.search_space.instantiate_model
        # The copy is deep, and slow, where it will hold a network.
        self.search_space.instantiate_model = with_network and instantiate
        try:
            graph = self.search_space.clone()
        finally:
            self.search_space.instantiate_model = instantiate
        graph.set_spec(ast.literal_eval(key), dataset_api=self.dataset_api)
        return graph

    def _query(self, graph: Any, metric: Any) -> Any:
        if not self._is_known(graph, metric):
            return unknown(metric.name, getattr(self.dataset_api, "problem", "there is none"))
        return graph.query(metric, self.dataset, dataset_api=self.dataset_api)

    def _is_known(self, graph: Any, metric: Any) -> bool:
        api = self.dataset_api
        if not isinstance(api, LazyApi) or api.available():
            return api is not None
        # Tables stand in for the benchmark; they know validation accuracies, and not of all.
        return metric is Metric.VAL_ACCURACY and api.accuracy(str(graph.get_hash())) is not None

    def _identity(self) -> dict[str, Any]:
        """Return, as JSON, what a checkpoint must agree on: all that the search depends on."""
        evolution = self._adapted()
        space, combination = evolution.space.name, evolution.settings.combination
        recipe: dict[str, Any]
        if combination is None:
            recipe = live.recipe(space, self.dataset, self.proxy).plain()
        else:
            made = live.recipes(space, self.dataset, combination.members)
            recipe = {name: of.plain() for name, of in made.items()}
        identity = {
            "optimizer": "swap_re",
            "version": __version__,
            "space": space,
            "dataset": self.dataset,
            "seed": self.config.seed,
            "proxy": self.proxy,
            "settings": asdict(evolution.settings),
            "swap_seed": settings.current().seed,
            "recipe": recipe,
        }
        # Through JSON and back, so that it compares as it will be read.
        return dict(json.loads(json.dumps(identity)))


def _unknown(*_: Any, **__: Any) -> int:
    return UNKNOWN


class _Measure:
    """Scores through the plugin, whose scores are kept on disk."""

    def __init__(
        self, space: str, dataset: str, proxy: str, combination: Combination | None
    ) -> None:
        self.space = spaces.get(space)
        self.dataset = dataset
        self.proxy = proxy
        self.combination = combination

    def __call__(self, arch: Any) -> Scored:
        text = self.space.encode(arch)
        subject = live.architecture(self.space.name, self.dataset, text, settings.current())
        size = subject.parameters() / 1000
        if self.combination is not None:
            return self._by_members(text, size, self.combination.members)
        score = float(live.score(self.space.name, self.dataset, text, self.proxy)["score"])
        lower = not proxies.higher_is_better(self.proxy)
        return Scored(-score if lower else score, size)

    def _by_members(self, text: str, size: float, members: tuple[str, ...]) -> Scored:
        found = live.scores(self.space.name, self.dataset, text, members)
        values: dict[str, float | None] = {}
        errors = {}
        for name in members:
            try:
                values[name] = measures.value_of(found[name], name, text)
            except SwapError as error:
                values[name], errors[name] = None, str(error)
        if len(errors) == len(members):
            raise Unscorable("; ".join(errors.values()))
        return Scored(None, size, values, errors)


class _Checkpointed(torch.nn.Module):
    """The search's state as the one thing that NASLib's checkpointer saves: tensors of a module.

    It is JSON in a tensor of bytes. The checkpointer drops tensors whose shape differs from that of
    a tensor of the same name here, so the name says how long it is.
    """

    def __init__(self, evolution: Evolution, identity: dict[str, Any]) -> None:
        super().__init__()
        self.evolution = evolution
        self.identity = identity

    def state_dict(self, *_: Any, **__: Any) -> dict[str, torch.Tensor]:  # type: ignore[override]
        body = {"identity": self.identity, "state": checkpoint.pack(self.evolution.state)}
        data = torch.frombuffer(bytearray(json.dumps(body).encode()), dtype=torch.uint8)
        return {f"swap_re.{len(data)}": data}

    def load_state_dict(self, state: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        names = [name for name in state if name.startswith("swap_re.")]
        if len(names) != 1:
            raise BadFile(
                "this checkpoint is not one of swap_re's: resume it with the optimiser that "
                "wrote it, or start anew"
            )
        body = json.loads(bytes(state[names[0]].cpu().numpy()))
        for key, value in self.identity.items():
            if body["identity"].get(key) != value:
                raise BadArgument(
                    f"this checkpoint belongs to another search: its {key} is "
                    f"{body['identity'].get(key)!r}, this search's is {value!r}"
                )
        self.evolution.restore(checkpoint.unpack(body["state"]))
        return torch.nn.modules.module._IncompatibleKeys([], [])


def _evolution_settings(config: Any, space: str) -> EvolutionSettings:
    search = config.search
    proxy = search.get("proxy", "swap")
    combination = _combination(proxy)
    chosen = EvolutionSettings(
        population=search.population_size,
        sample=min(search.sample_size, search.population_size),
        weighting=_weighting(config, space, combination),
        combination=combination,
    )
    given = {
        name: search[name]
        for name in ("mutations", "offspring", "crossover", "removal")
        if name in search
    }
    return EvolutionSettings(**{**vars(chosen), **given})


def _combination(proxy: str) -> Combination | None:
    """Return the combination of that name; None where it is that of a measure."""
    if proxy in combinations.names():
        return combinations.get(proxy)
    if proxy not in proxies.names() and proxy not in (known := measures.known_measures()):
        raise BadArgument(
            f"unknown search.proxy {proxy!r}; known are {', '.join(sorted(known))} and the "
            f"combinations {', '.join(combinations.names())}"
        )
    return None


def _weighting(config: Any, space: str, combination: Combination | None) -> SizeWeighting:
    default = "default" if config.search.get("proxy", "swap") == "swap" else "none"
    mode = config.search.get("weighting", default)
    if mode == "default" and combination is not None:
        mode = "none"
    if mode != "default":
        return SizeWeighting(mode)
    rule = live.regularisation(space, config.dataset, settings.current())
    return SizeWeighting("fixed", rule.mu, rule.sigma, rule.rule)
