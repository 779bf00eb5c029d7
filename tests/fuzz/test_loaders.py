"""Damaged and hostile files at every loader: a right value or one sentence, never anything else.

Each input comes from a seed, so that what fails can be had again. NASLIB_SWAP_FUZZ sets how many
inputs each loader gets (100 without it), NASLIB_SWAP_FUZZ_SEED where they begin.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import pickle
import resource
import tarfile
import time
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from naslib_swap import ground_truth, inputs, spaces
from naslib_swap.csv_files import read_rows
from naslib_swap.errors import SwapError
from naslib_swap.flexibert.benchmark import load_benchmark, load_released
from naslib_swap.ground_truth import catalogue
from naslib_swap.json_files import read_json
from naslib_swap.plain_arrays import PICKLED
from naslib_swap.plugin import tables
from naslib_swap.reading import read_text
from naslib_swap.restricted_pickle import load_pickle, load_torch_pickle
from naslib_swap.yaml_files import parse_yaml

COUNT = int(os.environ.get("NASLIB_SWAP_FUZZ", "100"))
FIRST = int(os.environ.get("NASLIB_SWAP_FUZZ_SEED", "0"))
SECONDS = 20
LONGEST_MESSAGE = 2000

ARCHS = ("(0, 2, 3, 2, 3, 1)", "(1, 1, 1, 1, 1, 1)", "(2, 2, 0, 4, 1, 0)", "(3, 3, 3, 3, 3, 3)")
NUMBERS = (b"-1e8", b"nan", b"1e400", b"-1", b"0", b"9" * 40, b"OOM", b"true", b"null", b"")
PIECES = (
    *NUMBERS,
    *(b"\0", b"\r", b"\n", b"\xff", b"\xef\xbb\xbf", b"\x1b[31m", b"\xed\xa0\x80", b"'", b'"'),
    *(b",", b"[", b"]", b"{", b"}", b"(", b")", b":", b"[" * 3000, b"&a [*a]", b"\\ud800"),
    *(b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x00" * 8),
)
OPCODES = b"(0122NIJKMLFGSTUVXBC]lae)t}dsubpqrghjciRQo.\x80\x81\x85\x86\x87\x88\x89\x8a\x8b"
OPCODES += b"\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98"


def mutated(content, rng):
    """Change bytes a few times: flip, cut, double, insert, overwrite."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        start, end = sorted(int(i) for i in rng.integers(len(data) + 1, size=2))
        end = min(end, start + int(rng.integers(1, 64)))
        piece = PIECES[int(rng.integers(len(PIECES)))]
        kind = int(rng.integers(7))
        if kind == 0 and data:
            data[min(start, len(data) - 1)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[start:end]
        elif kind == 2:
            data[start:start] = data[start:end] * int(rng.integers(1, 30))
        elif kind == 3:
            data[start:start] = piece
        elif kind == 4:
            data[start : start + len(piece)] = piece
        elif kind == 5:
            data[start:end] = rng.bytes(end - start)
        else:
            del data[max(start, 1) :]
    return bytes(data)


def program(rng):
    """A random pickle: any opcodes, with arguments that often fit."""
    parts = []
    for _ in range(int(rng.integers(1, 60))):
        opcode = OPCODES[int(rng.integers(len(OPCODES)))]
        parts.append(bytes([opcode]))
        if opcode in b"c\x69":
            names = [*list(PICKLED), ("os", "system"), ("numpy", "dtype"), ("builtins", "eval")]
            module, name = names[int(rng.integers(len(names)))]
            parts.append(f"{module}\n{name}\n".encode())
        elif opcode in b"ILFSVpg":
            parts.append((b"1", b"01", b"'u1'", b"1e5")[int(rng.integers(4))] + b"\n")
        elif opcode in b"UC\x8c":
            parts.append((b"\x02u1", b"\x02V8", b"\x01<", b"\x00")[int(rng.integers(4))])
        elif opcode in b"qhK":
            parts.append(bytes([int(rng.integers(6))]))
        elif opcode in b"JMrjXTBG\x8a\x8b\x8d\x8e\x95\x96":
            parts.append(rng.bytes(int(rng.integers(9))))
    return b"".join([*parts, b"."])


def _batch(images, labels):
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return {b"data": rows, b"labels": labels, b"batch_label": b"training"}


def _zipped(name, content, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def _saved(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


RNG = np.random.default_rng(7)
PIXELS = RNG.integers(256, size=(3, 8, 8, 3), dtype=np.uint8)
BATCH = _batch(PIXELS, [1, 2, 3])
BATCHES = [pickle.dumps(BATCH, protocol) for protocol in (0, 2, 4, 5)]
ROWS = {
    arch: {"val_accuracy": 50.0 + i, "nwot": {"score": i, "time": 1}}
    for i, arch in enumerate(ARCHS)
}
TABLES = [
    json.dumps({"cifar10": ROWS}).encode(),
    json.dumps({"nasbench201": {"cifar10": ROWS}}).encode(),
]
CSV = (
    "arch,val_accuracy,zico\n" + "".join(f'"{a}",{i},{i}.5\n' for i, a in enumerate(ARCHS))
).encode()
GENOTYPE = spaces.get("darts").example
DARTS = "".join(f'"{GENOTYPE}",{i}\n' for i in (1, 1, 1)).encode()
WIDE = CSV.replace(b"val_accuracy", b"cifar10:val_accuracy").replace(b"zico", b"cifar10:zen")
LAYER = {
    "operation_type": "SA",
    "operation_parameter": "WMA",
    "num_operation_heads": 4,
    "feed_forward_dimension": 1024,
    "num_feed_forward": 3,
}
OVERRIDES = {"hidden_size": 256, "nas_config": {"encoder_layers": [LAYER, LAYER]}}
GLUE = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst", "sts", "glue")
ENCODER = {
    "id": 1,
    "scores": dict.fromkeys(GLUE, 50.5),
    "hparams": {"model_hparam_overrides": OVERRIDES},
}
VOCABULARY = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]).encode()


def _picture(form):
    return _saved(lambda file: Image.fromarray(PIXELS[0]).save(file, form))


def _tar(mode):
    def write(file):
        with tarfile.open(fileobj=file, mode=mode) as archive:
            member = tarfile.TarInfo("x/data_batch_1")
            member.size = len(BATCHES[1])
            archive.addfile(member, io.BytesIO(BATCHES[1]))

    return _saved(write)


def _npz(save):
    return _saved(lambda file: save(file, images=PIXELS, labels=np.array([1, 2, 3])))


def _images(path):
    batch = inputs.load(path, samples=1, shape=(3, 4, 4))
    assert bool(torch.isfinite(batch.images).all())
    assert batch.images.shape == (1, 3, 4, 4)
    assert batch.labels.dtype == torch.int64


def _accuracies(source, space="nasbench201", task="cifar10"):
    def load(path):
        found = ground_truth.load(source, space=space, task=task, path=path)
        for scores in (found.accuracy, *found.proxies.values()):
            assert all(type(value) is float and math.isfinite(value) for value in scores.values())
            assert -1e8 not in scores.values()
            assert scores.keys() <= found.accuracy.keys()
        assert all(note.isprintable() for note in found.notes)
        space_of = spaces.get(space)
        assert all(space_of.encode(space_of.parse(key)) == key for key in found.accuracy)

    return load


def _plain(path):
    load_pickle(path.read_bytes(), PICKLED, what=str(path), encoding="bytes")


def _parsed(space):
    def load(path):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        found = spaces.get(space)
        key = found.encode(found.parse(text))
        assert found.encode(found.parse(key)) == key

    return load


def _vocabulary(path):
    pytest.importorskip("tokenizers", reason="needs the text extra")
    from naslib_swap.flexibert import batches

    batches._from_vocabulary(path).encode("a b c")


def _encoders(path):
    for entry in load_benchmark(str(path)):
        assert all(math.isfinite(entry.scores[task]) for task in GLUE)


def _yaml(path):
    parse_yaml(read_text(path), str(path))


def _table(path):
    tables.read(path, "nasbench201", "cifar10")


ARCHITECTURE = (
    *(b"\x8c\x13analognasbench.data", b"\x8c\x0cArchitecture", b"\x93)\x81"),
    *(b"}\x8c\x11baseline_accuracy", b"G@I\0\0\0\0\0\0", b"sb"),
)
ANALOG = pickle.dumps({(0, 2, 3, 2, 3, 1): 1}).replace(b"K\x01s.", b"".join(ARCHITECTURE) + b"s.")
NB101 = spaces.get("nasbench101").example
MATRIX = str(([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "conv1x1-bn-relu", "output"])).encode()
SETTING = {"layer_num": 12, "mlp_ratio": [3.5, 4] * 6, "num_heads": [3] * 12, "embed_dim": [216]}
SETTING["embed_dim"] *= 12
VIT = {"net_setting": SETTING, "performance": {"Imagenet": {"clean": 75.5}}, "params": 6.5}
PIT = {"base_dim": 16, "mlp_ratio": 6, "depth": [2, 8, 4], "num_heads": [2, 4, 4]}
BENCH = [{"arch": PIT, "c100_kd_acc": 60.5}]

LOADERS = {
    "pickle": ("a.pkl", BATCHES, _plain),
    "batch": ("data_batch_1", BATCHES, _images),
    "tar": ("a.tar", [_tar("w"), _tar("w:gz"), _tar("w:bz2"), _tar("w:xz")], _images),
    "npz": ("a.npz", [_npz(np.savez), _npz(np.savez_compressed)], _images),
    "npy in npz": ("a.npz", None, _images),
    "png": ("a.png", [_picture("PNG"), _picture("BMP"), _picture("GIF")], _images),
    "jpeg": ("a.jpg", [_picture("JPEG")], _images),
    "webp": ("a.webp", [_picture("WEBP")], _images),
    "ppm": ("a.ppm", [_picture("PPM")], _images),
    "tiff": ("a.tif", [_picture("TIFF")], _images),
    "analog": ("data.anb", [ANALOG], _accuracies("analog")),
    "suite-zero": ("a.json", TABLES, _accuracies("suite-zero")),
    "NASLib's table": ("a.json", TABLES, _table),
    "ood-vit-nas": (
        "a.json",
        [json.dumps({"0": VIT}).encode()],
        _accuracies("ood-vit-nas", "autoformer_tiny", "imagenet"),
    ),
    "vitbench": (
        "a.pth",
        [_saved(lambda file: torch.save(BENCH, file))],
        _accuracies("vitbench", "pit", "cifar100"),
    ),
    "csv": ("a.csv", [CSV, b"\xef\xbb\xbf" + CSV], _accuracies("csv")),
    "csv.gz": ("a.csv.gz", [gzip.compress(CSV, mtime=0)], _accuracies("csv")),
    "csv.zip": ("a.csv.zip", [_zipped("a.csv", CSV)], _accuracies("csv")),
    "darts1000": ("a.csv", [DARTS], _accuracies("darts1000", "darts")),
    "nasbench201": ("a.csv", [WIDE], _accuracies("nasbench201")),
    "pth": ("a.pth", [_saved(lambda file: torch.save([{"a": 1.5}], file))], load_torch_pickle),
    "rows": ("a.csv", [CSV], read_rows),
    "json": ("a.json", TABLES, read_json),
    "yaml": ("a.yaml", [b"a: &a [1, 2]\nb: {c: *a, <<: {d: 2001-01-01}}\n"], _yaml),
    "encoders": ("a.json", [json.dumps([ENCODER]).encode()], _encoders),
    "released": ("a.csv", [b"ID,A\n1,2.5\n2,3\n"], load_released),
    "vocabulary": ("vocab.txt", [VOCABULARY, VOCABULARY.replace(b"\n", b"\r\n")], _vocabulary),
    "nasbench201's text": ("a", [a.encode() for a in ARCHS] + [b"123"], _parsed("nasbench201")),
    "nasbench101's text": ("a", [NB101.encode(), MATRIX], _parsed("nasbench101")),
    "autoformer's text": (
        "a",
        [json.dumps(VIT).encode(), str(VIT).encode(), b"192-" + b"-".join([b"3h4"] * 12)],
        _parsed("autoformer_tiny"),
    ),
    "pit's text": ("a", [str(BENCH[0]).encode(), b"16r6-2x2h-8x4h-4x4h"], _parsed("pit")),
    "darts's text": ("a", [GENOTYPE.encode(), f"X = {GENOTYPE}".encode()], _parsed("darts")),
}  # fmt: skip


def _content(name, rng):
    seeds = LOADERS[name][1]
    if seeds is None:
        # Damage behind the archive's checksums, which would hide it.
        array = mutated(_saved(lambda file: np.save(file, PIXELS)), rng)
        return _zipped("images.npy", array, zipfile.ZIP_STORED)
    if name == "pickle" and rng.integers(2):
        return program(rng)
    if name.startswith("csv.") and rng.integers(2):
        damaged = mutated(CSV, rng)
        return gzip.compress(damaged) if name == "csv.gz" else _zipped("a.csv", damaged)
    return mutated(seeds[int(rng.integers(len(seeds)))], rng)


@pytest.mark.parametrize("name", LOADERS)
def test_a_right_value_or_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.delenv(catalogue.DATA_VARIABLE, raising=False)
    monkeypatch.setenv(catalogue.CACHE_VARIABLE, str(tmp_path / "cache"))
    filename, _, load = LOADERS[name]
    path = tmp_path / filename
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = 0
    for seed in range(FIRST, FIRST + COUNT):
        path.write_bytes(_content(name, np.random.default_rng([seed, len(name)])))
        began = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of odd metadata
                load(path)
            accepted += 1
        except SwapError as error:
            message = str(error)
            assert message.isprintable(), (seed, message)
            assert len(message) < LONGEST_MESSAGE, (seed, message)
        except Exception as error:
            raise AssertionError(f"seed {seed} of {name}: {type(error).__name__}") from error
        assert time.monotonic() - began < SECONDS, seed
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 500_000, f"{grown} kilobytes more"  # of which 4 GiB arrays would be ten times
    assert accepted < COUNT


@pytest.mark.parametrize("name", [n for n, (_, seeds, _) in LOADERS.items() if seeds])
def test_the_undamaged_files_load(name, tmp_path):
    """Else the fuzzer would only ever see the first refusal."""
    filename, seeds, load = LOADERS[name]
    path = tmp_path / filename
    for content in seeds:
        if content[:3] == b"GIF":  # is refused as it is
            continue
        path.write_bytes(content)
        load(path)
