"""What a user asks of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Optional

from naslib_swap import __version__, proxies, spaces
from naslib_swap.combinations import Combination, find, read
from naslib_swap.errors import BadArgument
from naslib_swap.options import names_or_all, option
from naslib_swap.scoring.plan import ScoringPlan
from naslib_swap.spaces.space import Moves

if TYPE_CHECKING:  # options are declared here for commands, whose help needs no torch
    from naslib_swap.optimizers.evolution import EvolutionSettings
    from naslib_swap.optimizers.fitness import SizeWeighting
    from naslib_swap.optimizers.measuring import NetworkMeasure
    from naslib_swap.optimizers.size_limits import SizeLimits
    from naslib_swap.scoring.recipe import Recipe

_OF_EVOLUTION = ("population", "sample", "mutations", "offspring", "crossover", "removal")


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
    seed: int = option(0, "Of every random choice.", least=0)
    cycles: int = option(100, "Cycles of the evolution.", least=0)
    time_limit: Optional[float] = option(None, "Seconds after which to stop.")
    population: int = option(20, "Architectures alive.")
    sample: Optional[int] = option(None, "Of a tournament.", shown="half the population")
    mutations: int = option(5, "Children scored in a cycle.")
    offspring: int = option(5, "Offspring scored in a crossover.")
    crossover: float = option(0.5, "Probability of a crossover.")
    removal: str = option("worst", "Who leaves: worst or oldest.")

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
        usual = spaces.get(self.space).search.rule if self.proxy == "swap" else "none"
        rule = "adaptive" if self.adaptive else "none" if self.plain else self.rule or usual
        if rule in ("adaptive", "none"):
            return SizeWeighting(rule)
        found = regularisation_of(self.space, self.task, variant=self.variant, rule=rule)
        return SizeWeighting("fixed", found.mu, found.sigma)

    def settings(self) -> EvolutionSettings:
        """Return the settings of the evolution."""
        from naslib_swap.optimizers.evolution import EvolutionSettings

        chosen = {name: getattr(self, name) for name in _OF_EVOLUTION}
        return EvolutionSettings(
            **chosen, weighting=self.weighting(), combination=self.combination()
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

    def limits(self) -> SizeLimits | None:
        """Return the limits on size, of the network to be trained; None where there are none."""
        from naslib_swap.optimizers.size_limits import SizeLimits

        if self.min_params is None and self.max_params is None:
            return None
        # Where none is named, the scored network is the one to be trained.
        variant, classes = list(self.networks().values())[:2][-1]
        return SizeLimits(
            lambda arch: self.count(arch, variant, classes), self.min_params, self.max_params
        )

    def count(self, arch: Any, variant: str | None, classes: int) -> int:
        """Count the parameters of a network for this task's images."""
        space = spaces.get(self.space)
        task = space.task(self.task)
        return space.parameters(
            arch,
            variant=variant or task.variant,
            num_classes=classes,
            in_channels=task.in_channels,
        )

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
            "settings": asdict(self.settings()),
            "recipe": made if self.combination() else made[self.proxy],
        }
