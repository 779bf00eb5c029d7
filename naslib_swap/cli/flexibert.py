"""`naslib-swap flexibert`: text encoders, scored before pre-training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from naslib_swap.cli.printing import print_frame, print_table
from naslib_swap.cli.progress import progress
from naslib_swap.errors import SwapError

if TYPE_CHECKING:
    import pandas as pd

    from naslib_swap.flexibert.batches import TextBatch
    from naslib_swap.flexibert.encoder import Encoder
    from naslib_swap.flexibert.options import Options
    from naslib_swap.flexibert.scoring import Settings


def flexibert(
    encoder: Annotated[
        Optional[str],
        typer.Option(
            help="Score one encoder alone: a benchmark id, a JSON file, its notation, or random."
        ),
    ] = None,
    config: Annotated[
        Optional[str],
        typer.Option(
            help="A YAML file of these options, or a packaged one: paper, table1, trained."
        ),
    ] = None,
    archs: Annotated[
        Optional[int],
        typer.Option(help="Encoders of the benchmark to draw; 0: all.", show_default="0"),
    ] = None,
    proxies: Annotated[
        Optional[str], typer.Option(help="Names separated by commas, or all.", show_default="all")
    ] = None,
    seeds: Annotated[
        Optional[int], typer.Option(help="How many seeds: 0, 1, ...", show_default="1")
    ] = None,
    fidelity: Annotated[
        Optional[str],
        typer.Option(
            help="paper (the published scores' networks) or trained.", show_default="paper"
        ),
    ] = None,
    operations: Annotated[
        Optional[str],
        typer.Option(help="stated, or attention in every layer.", show_default="stated"),
    ] = None,
    mode: Annotated[
        Optional[str],
        typer.Option(help="train (with dropout) or eval, for SWAP.", show_default="train"),
    ] = None,
    cotangent: Annotated[
        Optional[str],
        typer.Option(
            help="For gradients: random, or paper (ones: rounding noise).", show_default="random"
        ),
    ] = None,
    observed: Annotated[
        Optional[int],
        typer.Option(
            help="Documents for the proxies that need a backward pass.", show_default="32"
        ),
    ] = None,
    text: Annotated[
        Optional[str],
        typer.Option(
            help="openwebtext, or a .jsonl, .txt or .parquet file.", show_default="openwebtext"
        ),
    ] = None,
    tokenizer: Annotated[
        Optional[str],
        typer.Option(
            help="auto, hub, trained, or a WordPiece vocabulary file.", show_default="auto"
        ),
    ] = None,
    samples: Annotated[
        Optional[int], typer.Option(help="Documents in the batch.", show_default="128")
    ] = None,
    length: Annotated[
        Optional[int], typer.Option(help="Tokens of each document.", show_default="128")
    ] = None,
    benchmark: Annotated[Optional[str], typer.Option(help="A copy of BERT_benchmark.json.")] = None,
    released: Annotated[
        bool, typer.Option("--released", help="Compare with the released values too.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for scores, tables and pictures.")] = Path(
        "results/flexibert"
    ),
    workers: Annotated[int, typer.Option(help="Processes that score.")] = os.cpu_count() or 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Score again what failed in an earlier run.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Score FlexiBERT encoders and compare the ranks with their GLUE scores.

    Writes scores.jsonl, flexibert.md, CSV tables and pictures under --out. Run again, it scores
    only what is missing.
    """
    on_the_line = {
        "archs": archs,
        "proxies": proxies,
        "seeds": seeds,
        "fidelity": fidelity,
        "operations": operations,
        "mode": mode,
        "cotangent": cotangent,
        "observed": observed,
        "text": text,
        "tokenizer": tokenizer,
        "samples": samples,
        "length": length,
    }
    given = {name: value for name, value in on_the_line.items() if value is not None}
    # Imported here, so that `--help` does not wait for torch.
    from naslib_swap.flexibert.options import options_of

    options = options_of(config, given)
    _need_text_extra()
    from naslib_swap.flexibert import batches, scoring

    settings = scoring.Settings(
        fidelity=options.fidelity,
        operations=options.operations,
        mode=options.mode,
        cotangent=options.cotangent,
        observed=options.observed,
    )
    names = scoring.check_proxies(
        scoring.PROXIES if options.proxies == "all" else options.proxies.replace(",", " ").split()
    )
    scoring.check_length(options.length)
    batch = batches.load(
        options.text,
        samples=options.samples,
        length=options.length,
        tokenizer=options.tokenizer,
    )
    if encoder is not None:
        _score_one(find_encoder(encoder, benchmark), batch, names, settings)
        return
    _compare(
        options,
        names,
        settings,
        batch,
        benchmark=benchmark,
        out=out,
        workers=workers,
        retry_failed=retry_failed,
        released=released,
        quiet=quiet,
    )


def find_encoder(given: str, benchmark: Optional[str] = None) -> Encoder:
    """Find an encoder by benchmark id, JSON file, notation, or ``random`` (``random:SEED``)."""
    import numpy as np

    from naslib_swap.flexibert import encoder
    from naslib_swap.flexibert.benchmark import by_id, load_benchmark

    if given.isdecimal():
        return by_id(load_benchmark(benchmark), int(given)).encoder
    if given.split(":")[0] == "random":
        seed = given.partition(":")[2] or "0"
        if not seed.isdecimal():
            raise SwapError(f"got {given!r}; expected random or random:SEED with a whole number")
        return encoder.sample(np.random.default_rng(int(seed)))
    if given.endswith(".json"):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise SwapError(f"cannot read the encoder {given}: {error}") from error
        return encoder.from_json(text)
    return encoder.parse(given)


def _need_text_extra() -> None:
    try:
        import transformers  # noqa: F401
    except ImportError as error:
        raise SwapError(
            "flexibert needs HuggingFace transformers; install naslib-swap[text]"
        ) from error


def _score_one(
    encoder: Encoder, batch: TextBatch, names: tuple[str, ...], settings: Settings
) -> None:
    from naslib_swap.flexibert.encoder import encode
    from naslib_swap.flexibert.scoring import TITLES, score_encoder

    scores = score_encoder(encoder, batch, names, settings=settings)
    samples, length = batch.input_ids.shape
    title = f"{encode(encoder)}, {settings.fidelity}, {samples} documents of {length} tokens"
    rows = []
    for name, score in scores.items():
        bound = "" if score.saturation is None else f"{score.saturation:.1%}"
        value = score.error or f"{score.value:.8g}"
        rows.append([TITLES[name], value, bound, f"{1000 * score.seconds:.0f}"])
    print_table(title, ("proxy", "score", "of its bound", "ms"), rows, left={"proxy"})
    if all(score.value is None for score in scores.values()):
        raise SwapError("every score failed; the table says why")


def _compare(
    options: Options,
    names: tuple[str, ...],
    settings: Settings,
    batch: TextBatch,
    *,
    benchmark: Optional[str],
    out: Path,
    workers: int,
    retry_failed: bool,
    released: bool,
    quiet: bool,
) -> None:
    import numpy as np

    from naslib_swap.evaluation.pictures import save
    from naslib_swap.scoring.store import ScoreStore
    from naslib_swap.flexibert import pictures, report, scoring
    from naslib_swap.flexibert.benchmark import load_benchmark, load_released
    from naslib_swap.flexibert.comparators import COMPARATORS

    entries = load_benchmark(benchmark)
    if options.archs:
        if not 3 <= options.archs <= len(entries):
            raise SwapError(
                f"got {options.archs} encoders to draw, expected 3 to {len(entries)}, or 0 for all"
            )
        drawn = np.random.default_rng(0).permutation(len(entries))[: options.archs]
        entries = [entries[i] for i in sorted(drawn)]
    if options.seeds < 1:
        raise SwapError(f"got {options.seeds} seeds, expected at least 1")
    encoders = {report.name_of(entry): entry.encoder for entry in entries}
    seeds = range(options.seeds)
    path = out / "scores.jsonl"
    with ScoreStore(path) as store:
        try:
            with progress("scoring encoders", quiet=quiet) as show:
                scoring.run(
                    encoders,
                    names,
                    store,
                    batch,
                    settings=settings,
                    seeds=seeds,
                    workers=workers,
                    progress=show,
                    note=(lambda text: None) if quiet else _log,
                    retry_failed=retry_failed,
                )
        except KeyboardInterrupt:
            typer.echo(
                f"interrupted; what was scored is in {path}. Run the same command again to go on.",
                err=True,
            )
            raise typer.Exit(130) from None
    scores = report.scores_of(path, encoders, names, seeds, settings, batch)
    if scores["value"].isna().all():
        raise SwapError(
            f"every score failed, of {len(scores)}; the first: {scores['error'].iloc[0]}. Once "
            "that is mended, --retry-failed scores them again"
        )
    found, tasks = report.table_one(scores, entries), report.task_table(scores, entries)
    documents, tokens = batch.input_ids.shape
    title = (
        f"Table I: {len(entries)} encoders, {options.fidelity}, {documents} documents of {tokens} "
        f"tokens ({batch.source}), {options.seeds} seed(s)"
    )
    sections: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {
        title: (found, report.presented_table_one(found)),
        "Tasks: Spearman correlation with each GLUE task": (tasks, report.presented_tasks(tasks)),
    }
    if released:
        columns = {"params": "Number of Parameters"}
        columns.update({n: c.released for n, c in COMPARATORS.items() if c.released})
        against = report.released_table(scores, load_released(), columns)
        sections["Released: our values against the released ones"] = (
            against,
            report.presented_released(against),
        )
    report.write_tables(out, sections)
    save(pictures.proxies_against_glue(scores, entries, names), out, "proxies")
    if scoring.SWAP in names:
        save(pictures.swap_against_tasks(scores, entries), out, "tasks")
    if not quiet:
        for heading, (_, view) in sections.items():
            swap = [n for n, proxy in enumerate(view["proxy"]) if proxy == "SWAP"]
            print_frame(heading, view, bold=swap)
        _warn_of_failures(scores)
        typer.echo(f"\nWritten to {out}: scores.jsonl, flexibert.md, CSV tables, pictures")


def _log(text: str) -> None:
    typer.echo(text, err=True)


def _warn_of_failures(scores: pd.DataFrame) -> None:
    failed = scores[scores["error"].notna()]
    for (proxy, error), rows in failed.groupby(["proxy", "error"]):
        typer.echo(
            f"warning: {proxy} failed on {len(rows)} encoder(s), {rows['arch'].iloc[0]} for one: "
            f"{error}",
            err=True,
        )
