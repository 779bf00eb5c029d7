"""Scoring encoders: one at a time, or many, resumable and in parallel."""

from __future__ import annotations

import math
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional

from naslib_swap.errors import SwapError
from naslib_swap.scoring.backends import crew
from naslib_swap.scoring.runs import score_jobs
from naslib_swap.scoring.store import ScoreStore
from naslib_swap.scoring.study import settings_id
from naslib_swap.scoring.survey import Key, key_of
from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.chunked import Trail, count_patterns
from naslib_swap.flexibert.comparators import COMPARATORS, TRIVIAL
from naslib_swap.flexibert.configuration import FIDELITIES, MAX_LENGTH, FlexiBertConfig
from naslib_swap.flexibert.encoder import Encoder, attention_only
from naslib_swap.flexibert.observation import COTANGENTS, observe
from naslib_swap.flexibert.weights import SPACE, draw, hollow, observation_seed
from naslib_swap.proxies import ProxyScore
from naslib_swap.seeding import one_thread

SWAP = "swap"
TITLES: dict[str, str] = {
    SWAP: "SWAP",
    **{name: comparator.title for name, comparator in COMPARATORS.items()},
    **{name: proxy.title for name, proxy in TRIVIAL.items()},
}
PROXIES = tuple(TITLES)
OPERATIONS_USED = ("stated", "attention")

# Counted up when a score changes for the same encoder and batch: older ones are then scored anew.
_SCORES_VERSION = 2

# Of this process: its jobs come in an order in which one often begins as the one before.
_TRAIL = Trail()


@dataclass(frozen=True)
class Settings:
    """How encoders are built and scored.

    ``fidelity``: which network (:class:`~naslib_swap.flexibert.configuration.FlexiBertConfig`).
    ``operations``: ``"stated"``, or ``"attention"`` for scaled dot product attention in every
    layer. ``mode``: ``"train"`` (dropout, the paper's choice) or ``"eval"``, for SWAP.
    ``cotangent``: see :func:`~naslib_swap.flexibert.observation.observe`. ``observed``: how many of
    the documents the comparators that need passes see; a backward pass costs more than SWAP.
    """

    fidelity: str = "paper"
    operations: str = "stated"
    mode: str = "train"
    cotangent: str = "random"
    observed: int = 32

    def __post_init__(self) -> None:
        for name, known in (
            ("fidelity", FIDELITIES),
            ("operations", OPERATIONS_USED),
            ("mode", ("train", "eval")),
            ("cotangent", COTANGENTS),
        ):
            if getattr(self, name) not in known:
                raise SwapError(
                    f"unknown {name} {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        if self.observed < 2:
            raise SwapError(f"got observed={self.observed} documents; expected at least 2")

    def configuration(self, encoder: Encoder) -> FlexiBertConfig:
        """Return what is built for an encoder."""
        used = attention_only(encoder) if self.operations == "attention" else encoder
        return FlexiBertConfig.from_encoder(used, self.fidelity)

    def relevant(self, proxy: str, batch: TextBatch) -> dict[str, Any]:
        """Return all that a score of this proxy depends on, beside encoder and seed."""
        samples, length = batch.input_ids.shape
        common: dict[str, Any] = {
            "version": _SCORES_VERSION,
            "fidelity": self.fidelity,
            "operations": self.operations,
            "length": length,
        }
        if proxy in TRIVIAL:
            return common
        common["text"] = batch.source
        common["tokenizer"] = batch.tokenizer
        if proxy == SWAP:
            return {**common, "samples": samples, "digest": batch.digest, "mode": self.mode}
        seen = min(self.observed, samples)
        return {
            **common,
            "samples": seen,
            "digest": batch.cut(seen, length).digest,
            "cotangent": self.cotangent,
        }


@dataclass(frozen=True)
class Job:
    """One encoder under one seed, and the proxies that it still lacks."""

    arch: str
    encoder: Encoder
    seed: int
    proxies: tuple[str, ...]


def check_proxies(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names; SwapError where one is unknown."""
    found = tuple(names)
    unknown = [name for name in found if name not in TITLES]
    if unknown or not found:
        raise SwapError(
            f"unknown proxies {', '.join(unknown) or '(none given)'}; expected some of "
            f"{', '.join(PROXIES)}"
        )
    return found


def check_length(length: int) -> None:
    """SwapError where documents of so many tokens do not fit the encoders."""
    if length > MAX_LENGTH:
        raise SwapError(
            f"got documents of {length} tokens, expected at most {MAX_LENGTH}: an encoder has no "
            "more positions. Give a smaller --length"
        )


def score_encoder(
    encoder: Encoder,
    batch: TextBatch,
    proxies: Iterable[str] = PROXIES,
    *,
    settings: Optional[Settings] = None,
    seed: int = 0,
    trail: Optional[Trail] = None,
) -> dict[str, ProxyScore]:
    """Score one encoder with freshly drawn weights by some proxies.

    ``seed`` draws the weights, the dropout and the cotangent. With a ``trail``, SWAP goes on where
    the encoder departs from the one scored before it; the scores are the same. A proxy that fails
    has its reason in ``error``; the others go on. ``seconds`` holds a proxy's own time and that of
    the passes it needs, in SWAP's case with the drawing of weights and without what was on the
    trail.
    """
    names = check_proxies(proxies)
    chosen = settings or Settings()
    config = chosen.configuration(encoder)
    samples, length = batch.input_ids.shape
    check_length(length)
    results: dict[str, ProxyScore] = {}
    trivial = [name for name in names if name in TRIVIAL]
    if trivial:
        net = hollow(config).eval()
        for name in trivial:
            results[name] = _timed(partial(TRIVIAL[name].compute, net, config.encoder, length))
    if SWAP in names:
        results[SWAP] = _swap(config, batch, chosen, seed, trail)
    compared = [name for name in names if name in COMPARATORS]
    if compared:
        start = time.perf_counter()
        part = batch.cut(min(chosen.observed, samples), length)
        try:
            net = draw(config, seed)
            seen = observe(
                net, part, cotangent=chosen.cotangent, seed=observation_seed(config, seed)
            )
        except (RuntimeError, SwapError) as error:
            failed = ProxyScore(None, time.perf_counter() - start, _reason(error))
            results.update(dict.fromkeys(compared, failed))
        else:
            passes = time.perf_counter() - start
            for name in compared:
                results[name] = _timed(partial(COMPARATORS[name].compute, net, seen), passes)
    return {name: results[name] for name in names}


def _swap(
    config: FlexiBertConfig,
    batch: TextBatch,
    settings: Settings,
    seed: int,
    trail: Optional[Trail],
) -> ProxyScore:
    start = time.perf_counter()
    try:
        counter = count_patterns(config, batch, seed=seed, mode=settings.mode, trail=trail)
        score = float(counter.count())
    except (RuntimeError, SwapError) as error:
        return ProxyScore(None, time.perf_counter() - start, _reason(error))
    return ProxyScore(score, time.perf_counter() - start, None, score / counter.bound)


def _timed(compute: Callable[[], float], before: float = 0.0) -> ProxyScore:
    start = time.perf_counter()
    try:
        value: Optional[float] = float(compute())
        error = None if value is not None and math.isfinite(value) else f"not finite: {value}"
    except (RuntimeError, ValueError, ArithmeticError) as caught:
        value, error = None, _reason(caught)
    seconds = before + time.perf_counter() - start
    return ProxyScore(None if error else value, seconds, error)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class Stored:
    """``done``: the scores that need not be computed again. ``failed``: the stored scores that have
    no value.
    """

    done: frozenset[Key]
    failed: frozenset[Key]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], *, retry_failed: bool = False) -> Stored:
        """Look through records, of which the last counts; failures are not done if retried."""
        scored = {key_of(record): record["value"] is not None for record in records}
        failed = frozenset(key for key, has_value in scored.items() if not has_value)
        return cls(frozenset(scored) - failed if retry_failed else frozenset(scored), failed)


def wanted_keys(
    archs: Iterable[str],
    proxies: Iterable[str],
    seeds: Iterable[int],
    settings: Settings,
    batch: TextBatch,
) -> set[Key]:
    """Return what identifies the scores of these encoders, proxies, seeds and settings."""
    ids = {proxy: settings_id(settings.relevant(proxy, batch)) for proxy in proxies}
    known = tuple(seeds)
    return {
        (SPACE, "", arch, proxy, seed, name)
        for arch in archs
        for proxy, name in ids.items()
        for seed in known
    }


def missing_jobs(
    encoders: Mapping[str, Encoder],
    proxies: tuple[str, ...],
    seeds: Iterable[int],
    settings: Settings,
    batch: TextBatch,
    done: Container[Key],
) -> list[Job]:
    """Return what is not done yet, encoders that begin alike side by side.

    One that ends where another goes on comes after it: see :class:`Trail`.
    """
    ids = {proxy: settings_id(settings.relevant(proxy, batch)) for proxy in proxies}
    jobs = []
    for seed in seeds:
        for arch, encoder in encoders.items():
            lacking = tuple(p for p in proxies if (SPACE, "", arch, p, seed, ids[p]) not in done)
            if lacking:
                jobs.append(Job(arch, encoder, seed, lacking))
    end = "~"  # behind every part's name
    return sorted(
        jobs, key=lambda job: (job.seed, *settings.configuration(job.encoder).parts(), end)
    )


def score_job(job: Job, batch: TextBatch, settings: Settings) -> list[dict[str, Any]]:
    """Score one job in one thread; one record a proxy, as ``naslib-swap table`` stores them.

    Scores come from (seed, encoder), whatever the order and the number of workers.
    """
    with one_thread():
        scores = score_encoder(
            job.encoder, batch, job.proxies, settings=settings, seed=job.seed, trail=_TRAIL
        )
    return _records(job, scores, batch, settings)


def _failed(job: Job, reason: str, batch: TextBatch, settings: Settings) -> list[dict[str, Any]]:
    scores = dict.fromkeys(job.proxies, ProxyScore(None, 0.0, reason))
    return _records(job, scores, batch, settings)


def _records(
    job: Job, scores: Mapping[str, ProxyScore], batch: TextBatch, settings: Settings
) -> list[dict[str, Any]]:
    records = []
    for proxy, score in scores.items():
        relevant = settings.relevant(proxy, batch)
        records.append(
            {
                "space": SPACE,
                "task": "",
                "arch": job.arch,
                "proxy": proxy,
                "seed": job.seed,
                "value": score.value,
                "saturation": score.saturation,
                "seconds": round(score.seconds, 6),
                "error": score.error,
                "settings_id": settings_id(relevant),
                "settings": relevant,
            }
        )
    return records


def run(
    encoders: Mapping[str, Encoder],
    proxies: Iterable[str],
    store: ScoreStore,
    batch: TextBatch,
    *,
    settings: Optional[Settings] = None,
    seeds: Iterable[int] = (0,),
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    retry_failed: bool = False,
) -> int:
    """Score what the store lacks and append it; return the number of jobs done.

    ``encoders`` maps names to encoders. ``workers`` processes of one thread each. ``progress`` is
    called with the jobs done and the jobs there are, ``note`` with what a user should know. Scores
    that failed in an earlier run stay so unless ``retry_failed``. An encoder whose worker dies has
    failed, and the others go on.

    Raises
    ------
    SwapError
        Less than one worker, an unknown proxy, documents too long for the encoders, workers that
        die on several encoders in a row.
    """
    if workers < 1:
        raise SwapError(f"got {workers} workers, expected at least 1.")
    chosen = settings or Settings()
    names = check_proxies(proxies)
    check_length(batch.input_ids.shape[1])
    asked = tuple(seeds)
    stored = Stored.of(store.records(), retry_failed=retry_failed)
    failed = len(stored.failed & wanted_keys(encoders, names, asked, chosen, batch))
    if failed and not retry_failed:
        note(f"{failed} score(s) failed in an earlier run; --retry-failed tries them again.")
    jobs = missing_jobs(encoders, names, asked, chosen, batch, stored.done)
    progress(0, len(jobs))
    if not jobs:
        return 0
    with crew("loky", min(workers, len(jobs))) as hands:
        score = partial(score_job, batch=batch, settings=chosen)
        failing = partial(_failed, batch=batch, settings=chosen)
        try:
            for done, records in enumerate(score_jobs(jobs, hands, score, failing), 1):
                store.append(records)
                progress(done, len(jobs))
        finally:
            _TRAIL.clear()
    return len(jobs)
