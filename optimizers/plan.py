"""What a user asks of a search."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Optional

from naslib_swap import __version__, proxies, spaces
from naslib_swap.combinations import Combination, find, read
from naslib_swap.errors import BadArgument
from naslib_swap.options import names_or_all, option
from naslib_swap.scoring.plan import ScoringPlan
from naslib_swap.spaces.space import Moves

if TYPE_CHECKING:  # options are declared here for commands, whose help needs no torch
    from naslib_swap.optimizers.costs import Cost, Network
    from naslib_swap.optimizers.evolution import EvolutionSettings
    from naslib_swap.optimizers.fitness import SizeWeighting
    from naslib_swap.optimizers.latency import Latencies
    from naslib_swap.optimizers.limits import Limits
    from naslib_swap.optimizers.measuring import NetworkMeasure
    from naslib_swap.scoring.conditions import Conditions
    from naslib_swap.scoring.recipe import Recipe

FINAL = ("steady_rank",)
"""What the final choice is by unless told otherwise; docs/search.md has the measurements."""

_OF_EVOLUTION = (
    "population", "sample", "in_flight", "mutations", "offspring", "crossover", "removal",
)  # fmt: skip


@dataclass(frozen=True)
class SearchPlan(ScoringPlan):
    """All that a search depends on.

    What is left open is taken from the space by `complete`.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {"images": "inputs", "image_path": "inputs_path"}

    space: str = option("darts", "Search space.")
    task: str = option("", "Task of the space.", shown="the space's first")
    rule: str = option("", "How mu and sigma come from sizes.", shown="the space's")
    proxy: str = option("swap", "What guides the search: a proxy or combination, as in `table`.")
    combine: tuple[str, ...] = option(
        (),
        "A combination of your own for --proxy: mine=swap+params+nwot.",
        read=names_or_all,
        shown="none",
    )
    adaptive: bool = option(False, "mu and sigma from the sizes met so far.")
    plain: bool = option(False, "The score alone: size does not count.")
    min_params: Optional[int] = option(None, "Fewest parameters of the final network.")
    max_params: Optional[int] = option(None, "Most parameters of the final network.")
    max_flops: Optional[float] = option(
        None, "Most multiply-accumulates of the final network for one image, such as 600e6."
    )
    max_latency: tuple[str, ...] = option(
        (),
        "Most milliseconds for one image, DEVICE:MS, separated by commas: raspi4:20 by a table, "
        "cpu:5 measured here.",
        read=names_or_all,
        shown="none",
    )
    latency_file: Optional[str] = option(
        None, "Latencies on other devices: CSV of arch and DEVICE_latency."
    )
    pareto: tuple[str, ...] = option(
        (),
        "Objectives of a Pareto search: score, and params, flops or latency:DEVICE.",
        read=names_or_all,
        shown="none",
    )
    seed: int = option(0, "Of every random choice.", least=0)
    cycles: int = option(100, "Cycles of the evolution.", least=0)
    time_limit: Optional[float] = option(None, "Seconds after which to stop.")
    population: int = option(20, "Architectures alive.")
    sample: Optional[int] = option(None, "Of a tournament.", shown="half the population")
    in_flight: int = option(1, "Cycles under way at any time: for many workers.")
    mutations: int = option(5, "Children scored in a cycle.")
    offspring: int = option(5, "Offspring scored in a crossover.")
    crossover: float = option(0.5, "Probability of a crossover.")
    removal: str = option("worst", "Who leaves: worst or oldest.")
    finalists: int = option(
        0, "How many of the best are scored again by --final, for the final choice.", least=0
    )
    final: tuple[str, ...] = option(
        FINAL,
        "Proxies of the final choice; members where it is a combination.",
        read=names_or_all,
        shown=",".join(FINAL),
    )
    final_draws: int = option(1, "Draws of weights and images in the final choice.", least=1)
    final_samples: int = option(
        0, "Images in the final choice.", shown="as many as in the search", least=0
    )
    verify: int = option(
        0, "How many true accuracies choose among the best: of --accuracy, or of --truth.", least=0
    )
    truth: Optional[str] = option(
        None,
        "Accuracies, as in `table`: for --verify, and for the rank of what is found.",
        shown="what is here already",
    )
    truth_file: Optional[str] = option(None, "A file of accuracies: arch,val_accuracy CSV.")

    def complete(self) -> SearchPlan:
        """Return the plan with the space's defaults for what is left open.

        Raises
        ------
        BadArgument
            An unknown space.
        """
        space = spaces.get(self.space)
        return replace(
            self,
            task=self.task or next(iter(space.tasks)),
            variant=space.search.variant if self.variant is None else self.variant,
            samples=self.samples or space.samples,
            repeats=space.search.repeats if self.repeats is None else self.repeats,
        )

    def check(self, *, elsewhere: bool = False) -> None:
        """Complain of what can be known to be wrong before anything is loaded.

        Raises
        ------
        BadArgument
            As `ScoringPlan.check`; a proxy that cannot guide a search, or not with this weighting;
            a combination that is not used; a setting of the evolution out of its range.
        """
        super().check(elsewhere=elsewhere)
        self._check_costs(elsewhere=elsewhere)
        self._check_choice()
        combination = self.combination()
        own = [read(text).name for text in self.combine]
        if own and self.proxy not in own:
            raise BadArgument(
                f"got --combine {','.join(self.combine)} and --proxy {self.proxy}, expected the "
                f"combination to guide the search: give --proxy {own[0]}."
            )
        if combination is not None:
            self.settings()
            return
        proxy = proxies.get(self.proxy)
        if "mu" in proxy.reads:
            bare = self.proxy.removeprefix("reg_")
            raise BadArgument(
                f"got proxy {self.proxy}, which is {bare} weighed by size; the search does that "
                f"itself: give --proxy {bare} with --mu and --sigma."
            )
        weighting = self.settings().weighting
        if weighting.mode != "none" and not proxy.size_weighable:
            raise BadArgument(
                f"proxy {self.proxy} cannot be weighed by size ({weighting.mode}): it can be "
                "negative, and a logarithm is needed. Search by it without --mu, --sigma and "
                "--adaptive."
            )

    def _check_costs(self, *, elsewhere: bool) -> None:
        """Complain of limits and objectives that contradict each other, before anything is read."""
        from naslib_swap.optimizers.latency import MEASURED, PREFIX, limit

        if self.max_flops is not None and not self.max_flops > 0:
            raise BadArgument(
                f"got {self.max_flops:g} as the most multiply-accumulates, expected a positive "
                "number."
            )
        devices = [limit(text)[0] for text in self.max_latency]
        twice = next((device for device in devices if devices.count(device) > 1), None)
        if twice is not None:
            raise BadArgument(f"got two limits on the latency on {twice}, expected one.")
        asked = [name for name in self.pareto if name.startswith(PREFIX)]
        if self.latency_file is not None and not devices and not asked:
            raise BadArgument(
                "got --latency-file without a device, expected --max-latency DEVICE:MS, or "
                f"{PREFIX}DEVICE in --pareto."
            )
        measured = set(MEASURED).intersection(self.devices())
        if measured and self.in_flight > 1 and self.latency_file is None and not elsewhere:
            raise BadArgument(
                f"got --in-flight {self.in_flight} and latencies measured here "
                f"({', '.join(measured)}), on which workers here would weigh: expected --in-flight "
                "1, workers elsewhere (--address), or a table (--latency-file)."
            )

    def _check_choice(self) -> None:
        self.finally_by()
        if self.finalists == 1:
            raise BadArgument("got finalists 1, expected 2 or more to choose from, or 0.")
        if not self.finalists and (
            self.final != FINAL or self.final_draws != 1 or self.final_samples
        ):
            raise BadArgument(
                "got --final, --final-draws or --final-samples without --finalists, expected "
                "--finalists too: how many of the best the final choice is among."
            )
        if self.finalists and self.pareto:
            raise BadArgument(
                "got --finalists with --pareto, expected one of them: a front has no single best. "
                "Choose from the front, or take --verify, which asks for its true accuracies."
            )
        if self.final_samples == 1:
            raise BadArgument("got final samples 1, expected at least 2, or 0.")

    def finally_by(self) -> tuple[str, ...]:
        """Return the proxies of the final choice; of a combination its members.

        Raises
        ------
        BadArgument
            A name that nothing has.
        """
        found = [find(name, self.combine) for name in self.final]
        members = (one.members if one else (name,) for name, one in zip(self.final, found))
        return tuple(dict.fromkeys(name for named in members for name in named))

    def finally_against(self) -> tuple[str, ...]:
        """Return those of `finally_by` that a combination counts the other way round."""
        found = (find(name, self.combine) for name in self.final)
        return tuple(name for one in found if one for name in one.against)

    def finally_under(self) -> Conditions:
        """Return the conditions of the final choice."""
        samples = self.final_samples or self.samples
        return replace(self, samples=samples).conditions(self.finally_by())

    def combination(self) -> Combination | None:
        """Return the combination that guides the search; None where a single proxy does.

        Raises
        ------
        BadArgument
            A name that nothing has.
        """
        return find(self.proxy, self.combine)

    def scored(self) -> tuple[str, ...]:
        """Return the names of the proxies that score each architecture."""
        combination = self.combination()
        return (self.proxy,) if combination is None else combination.members

    def weighting(self) -> SizeWeighting:
        """Return how size enters the fitness.

        Unless told, SWAP is weighed by the space's rule, another proxy not at all.
        """
        from naslib_swap.optimizers.fitness import SizeWeighting
        from naslib_swap.scoring.conditions import regularisation_of

        given = self.mu is not None or self.sigma is not None
        if given + self.adaptive + self.plain + bool(self.rule) > 1:
            raise BadArgument("give either --mu and --sigma, or --rule, --adaptive or --plain.")
        if given:
            return SizeWeighting("fixed", self.mu, self.sigma)
        usual = spaces.get(self.space).search.rule if self._usually_weighed else "none"
        rule = "adaptive" if self.adaptive else "none" if self.plain else self.rule or usual
        if rule in ("adaptive", "none"):
            return SizeWeighting(rule)
        found = regularisation_of(self.space, self.task, variant=self.variant, rule=rule)
        return SizeWeighting("fixed", found.mu, found.sigma, found.rule)

    @property
    def _usually_weighed(self) -> bool:
        # Where size is an objective of its own it does not weigh on the score as well.
        return self.proxy == "swap" and not self.pareto

    def settings(self) -> EvolutionSettings:
        """Return the settings of the evolution."""
        from naslib_swap.optimizers.evolution import EvolutionSettings

        chosen = {name: getattr(self, name) for name in _OF_EVOLUTION}
        return EvolutionSettings(
            **chosen,
            weighting=self.weighting(),
            combination=self.combination(),
            pareto=self.pareto,
        )

    def moves(self) -> Moves:
        """Return the space as the search walks it."""
        return spaces.get(self.space).moves(self.variant)

    def measure(self) -> NetworkMeasure:
        """Return how architectures are measured."""
        from naslib_swap.optimizers.measuring import NetworkMeasure

        return NetworkMeasure(
            self.space,
            self.task,
            self.variant,
            self.proxy,
            self.conditions(self.scored()),
            self.seed,
            self.combination(),
        )

    def networks(self) -> Mapping[str, tuple[str | None, int]]:
        """Return name -> (variant, classes) of the networks that an architecture stands for.

        The scored one ("search") comes first, then those that would be trained, that of the task
        before the others.
        """
        space = spaces.get(self.space)
        trained = dict(space.search.trained or {})
        own = {self.task: trained[self.task]} if self.task in trained else {}
        scored = (self.variant, space.task(self.task).num_classes)
        return {"search": scored, **own, **trained}

    def network(self) -> Network:
        """Return the network that limits and objectives are about: that to be trained."""
        from naslib_swap.optimizers.costs import Network

        # Where none is named, the scored network is the one to be trained.
        return Network(self.space, self.task, *list(self.networks().values())[:2][-1])

    def looks_at(self) -> tuple[str, ...]:
        """Return the names of the costs that are limited or objectives, the cheap ones first."""
        from naslib_swap.optimizers.latency import MEASURED, PREFIX, limit

        sized = self.min_params is not None or self.max_params is not None
        limited = ["params"] * sized + ["flops"] * (self.max_flops is not None)
        limited += [PREFIX + limit(text)[0] for text in self.max_latency]
        named = dict.fromkeys([*limited, *(name for name in self.pareto if name != "score")])
        work = {"params": 0, "flops": 2, **{PREFIX + device: 3 for device in MEASURED}}
        return tuple(sorted(named, key=lambda name: work.get(name, 1)))

    def devices(self) -> tuple[str, ...]:
        """Return the devices whose latencies are limited or objectives."""
        from naslib_swap.optimizers.latency import PREFIX

        looked_at = self.looks_at()
        return tuple(name[len(PREFIX) :] for name in looked_at if name.startswith(PREFIX))

    def latencies(self) -> Latencies:
        """Return what is known of the latencies of that network.

        Raises
        ------
        SwapError
            A table that cannot be read.
        """
        from naslib_swap.optimizers.latency import latencies_of

        network = self.network()
        return latencies_of(
            self.space,
            self.task,
            network.built,
            network.input_shape,
            file=self.latency_file,
        )

    def limits(self, costs: Mapping[str, Cost]) -> Limits:
        """Return the limits, on costs by name; an objective that is not known is not admitted."""
        from naslib_swap.optimizers.latency import PREFIX, limit
        from naslib_swap.optimizers.limits import Limit, Limits

        most = {PREFIX + device: ms for device, ms in map(limit, self.max_latency)}
        windows = {"params": (self.min_params, self.max_params), "flops": (None, self.max_flops)}
        made = (Limit(cost, *windows.get(n, (None, most.get(n)))) for n, cost in costs.items())
        return Limits(tuple(made))

    def count(self, arch: Any, variant: str | None, classes: int) -> int:
        """Count the parameters of a network for this task's images."""
        from naslib_swap.optimizers.costs import Network

        return Network(self.space, self.task, variant, classes).parameters(arch)

    def identity(self, recipes: Mapping[str, Recipe]) -> dict[str, Any]:
        """Return what a checkpoint must agree on.

        Images count by content (a recipe's digest), not by where they lie.

        Parameters
        ----------
        recipes
            By the names of `scored`.
        """
        made = {
            proxy: {name: value for name, value in recipe.plain().items() if name != "source"}
            for proxy, recipe in recipes.items()
        }
        return {
            "program": "naslib-swap search",
            "version": __version__,
            "space": self.space,
            "task": self.task,
            "proxy": self.proxy,
            "seed": self.seed,
            "min_params": self.min_params,
            "max_params": self.max_params,
            **{
                name: getattr(self, name)
                for name in ("max_flops", "max_latency")
                if getattr(self, name)
            },
            **({"latencies": _digest(self.latency_file)} if self.latency_file else {}),
            "settings": asdict(self.settings()),
            "recipe": made if self.combination() else made[self.proxy],
        }


def _digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
