"""Proxies computed here against NAS-Bench-Suite-Zero's stored scores, and what each costs.

    python benchmarks/proxies.py --data FOLDER [--archs 50] [--samples 32] [--out FOLDER]

FOLDER holds `tables/nasbench201__cifar10.csv.gz` and `images/cifar10_train_first512.npz`. Writes
`agreement.md`, `scores.csv` and `seconds.md`; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import pandas as pd
import torch

from naslib_swap import inputs, spaces
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import get, names
from naslib_swap.regularisation import from_sizes
from naslib_swap.scoring.network import score_network

SPACE = "nasbench201"


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    table = pd.read_csv(options.data / "tables" / f"{SPACE}__cifar10.csv.gz")
    table = table[table["nwot"].notna()]  # the 725 of Suite-Zero's file; others are of older runs
    table = table.sample(options.archs, random_state=0).set_index("arch")
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = options.proxies.split(",") if options.proxies else list(names())
    live = score_all(list(table.index), chosen, options)
    values = live.pivot(index="arch", columns="proxy", values="value").loc[table.index]
    values.to_csv(options.out / "scores.csv")
    write(options.out / "agreement.md", agreement(values[chosen], table))
    write(options.out / "seconds.md", seconds(live, chosen))
    if options.against:
        other = pd.read_csv(options.against, index_col="arch").loc[table.index]
        shared = [name for name in chosen if name in other]
        ranks = pd.Series({name: spearman(values[name], other[name]) for name in shared})
        write(options.out / "against.md", ranks.rename("run with run").round(3).to_frame())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--archs", type=int, default=50)
    parser.add_argument("--samples", type=int, default=32, help="Suite-Zero's")
    parser.add_argument("--seed", type=int, default=0, help="of weights, and of a random order")
    parser.add_argument("--order", default="first", help="first or random images")
    parser.add_argument("--against", type=Path, help="scores.csv of another run, to compare with")
    parser.add_argument("--proxies", help="names with commas between; all by default")
    parser.add_argument("--out", type=Path, default=Path("proxies-benchmark"))
    return parser.parse_args()


def score_all(archs: list[str], chosen: list[str], options: argparse.Namespace) -> pd.DataFrame:
    """One row an architecture and proxy; rows are appended to `rows.jsonl` as they come."""
    space = spaces.get(SPACE)
    images = options.data / "images" / "cifar10_train_first512.npz"
    minibatch = inputs.load(
        "cifar10",
        samples=options.samples,
        path=images,
        order=options.order,
        seed=options.seed,
    )
    size = from_sizes(space.parameters(space.parse(arch)) / 1000 for arch in archs)
    store = options.out / "rows.jsonl"
    rows = [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []
    done = {(row["arch"], row["proxy"]) for row in rows}
    with store.open("a") as file:
        for text in archs:
            missing = [name for name in chosen if (text, name) not in done]
            if not missing:
                continue
            arch = space.parse(text)
            torch.manual_seed(options.seed)
            probe = Probe(
                space.build(arch),
                minibatch,
                seed=options.seed,
                num_classes=10,
                settings={"mu": size.mu, "sigma": size.sigma, "depth": space.depth(arch)},
            )
            for name, score in score_network(probe, missing).items():
                row = {"arch": text, "proxy": name, "value": score.value, "seconds": score.seconds}
                rows.append({**row, "error": score.error})
                file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    return pd.DataFrame(rows)


def agreement(values: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Spearman of live and stored scores with accuracy and with one another, for each proxy."""
    accuracy = table["val_accuracy"]
    rows = []
    for name in values:
        live = values[name].astype(float)
        stored = table[name].where(table[name] > -1e7) if name in table else None
        both = live.notna() & (stored.notna() if stored is not None else True)
        row: dict[str, object] = {"proxy": get(str(name)).title, "n": int(both.sum())}
        row["live"] = spearman(live[both], accuracy[both])
        if stored is not None:
            row["stored"] = spearman(stored[both], accuracy[both])
            row["difference"] = float(row["live"]) - float(row["stored"])  # type: ignore[arg-type]
            row["live with stored"] = spearman(live[both], stored[both])
        rows.append(row)
    return pd.DataFrame(rows).set_index("proxy").round(3)


def spearman(a: pd.Series, b: pd.Series) -> float:
    return float(a.corr(b, method="spearman"))


def seconds(live: pd.DataFrame, chosen: list[str]) -> pd.DataFrame:
    """Mean seconds per architecture, as if each proxy were computed alone, and their share."""
    mean = live.groupby("proxy")["seconds"].mean().loc[chosen]
    share = (100 * mean / mean.sum()).round(1)
    return pd.DataFrame({"seconds alone": mean.round(3), "share of the sum, %": share})


def write(path: Path, frame: pd.DataFrame) -> None:
    """A Markdown table; empty where there is no number."""
    frame = frame.reset_index()
    cells = [["" if isinstance(v, float) and math.isnan(v) else str(v) for v in row]
             for row in frame.values.tolist()]  # fmt: skip
    lines = [list(frame.columns), ["---"] * len(frame.columns), *cells]
    text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
    path.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
