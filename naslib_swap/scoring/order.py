"""Which proxies go first, where somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from naslib_swap.scoring.single import Job


def quick_first(jobs: Sequence[Job]) -> list[Job]:
    """Split jobs in two: quick proxies for all subjects first, the others after that.

    Quick is what needs no gradients and shares no pass with what does, as a pass would run twice. A
    row of a table then stands within seconds, and soon on all architectures. Each subject is built
    twice; scores are the same, whatever the order.
    """
    quick, slow = [], []
    for job in jobs:
        first = _quick(job)
        others = tuple(name for name in job.proxies if name not in first)
        quick += [job._replace(proxies=first)] if first else []
        slow += [job._replace(proxies=others)] if others else []
    return quick + slow


def as_they_are(jobs: Sequence[Job]) -> list[Job]:
    """Leave jobs as they are: each subject is built once."""
    return list(jobs)


Order = Callable[[Sequence[Job]], list[Job]]


def _quick(job: Job) -> tuple[str, ...]:
    asked = [job.subject.proxy(name) for name in job.proxies]
    slow = {one for proxy in asked if "gradients" in proxy.needs for one in proxy.passes}
    return tuple(
        name
        for name, proxy in zip(job.proxies, asked)
        if "gradients" not in proxy.needs and slow.isdisjoint(proxy.passes)
    )
