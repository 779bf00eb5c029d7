"""The public originals: what they are, where they come from, and how to know them again.

A file is looked for in the folder that `NASLIB_SWAP_DATA` names, then in the cache
(`NASLIB_SWAP_CACHE` or the system's place for caches), and downloaded into the cache otherwise.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.ground_truth import verified
from naslib_swap.reading import damage

DATA_VARIABLE = "NASLIB_SWAP_DATA"
CACHE_VARIABLE = "NASLIB_SWAP_CACHE"


@dataclass(frozen=True)
class Entry:
    """A public file.

    Attributes
    ----------
    name, what, licence, citation
        What it is called, what it is, under which terms, and whom to cite.
    path
        Its place below a data folder.
    url
        None for a table that is derived from originals and has no public address of its own.
    sha256, size
        How to know it again; the size in bytes.
    """

    name: str
    path: str
    what: str
    url: str | None
    sha256: str
    size: int
    licence: str
    citation: str


_RAW = "https://raw.githubusercontent.com"
_NASLIB = f"{_RAW}/automl/NASLib"
_SERIANNI = f"{_RAW}/aaronserianni/training-free-nas/2d76e01b9586cad7340e8268dadba3056efd070b/data"
_ZERO = "Krishnakumar et al., NAS-Bench-Suite-Zero, NeurIPS 2022, arXiv 2210.03230"
_BERT = "Serianni and Kalita, Training-free NAS for RNNs and Transformers, ACL 2023"
_OOD_VIT = f"{_RAW}/vovantuan1999a/OoD-ViT-NAS/af1e221d950fc00d0c24e52a468fddcd80f3945a"
_AUTO_PROX = f"{_RAW}/lliai/Auto-Prox-AAAI24/90ed458eff6948a6f0d23e440a8d21bbec50d091/gt_results"
_VITBENCH = "Wei et al., Auto-Prox, AAAI 2024, arXiv 2312.09059"
_CIFAR = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"

_downloads: ContextVar[bool] = ContextVar("downloads", default=True)

VERIFIED = "verified.json"
"""In the cache folder: what was read and found to be right."""

CATALOGUE: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "zc-nasbench101",
            "naslib/zc_nasbench101.json",
            "500 NAS-Bench-101 architectures: accuracy and 11 proxies",
            f"{_NASLIB}/22280f711aa782fe9157d1b4e5ce4f83f47ab908/naslib/data/zc_nasbench101.json",
            "c34840bc9af68b6ebaa7f052e42c1749a9a737d7243078be2a5548052bc5a0c2",
            259564,
            "Apache-2.0",
            _ZERO,
        ),
        Entry(
            "zc-nasbench201",
            "naslib/zc_nasbench201.json",
            "725 NAS-Bench-201 architectures on 3 data sets: accuracy and up to 12 proxies",
            f"{_NASLIB}/1bdbd960ee3e08b4b71dfbae57ff4d4e43ec25c1/naslib/data/zc_nasbench201.json",
            "80e131a5f2cd0320bd5524945a9df9f7a115a642654644f909e879f747fb3c4a",
            1962205,
            "Apache-2.0",
            _ZERO,
        ),
        Entry(
            "zc-nasbench301",
            "naslib/zc_nasbench301.json",
            "725 DARTS architectures (NAS-Bench-301): surrogate accuracy and 12 proxies",
            f"{_NASLIB}/6639fd1579010457885c641553c55b0c153045aa/naslib/data/zc_nasbench301.json",
            "537e9abd6f0b14fdffdfcb3c07b18a037647b5c80808b3b2cf9a51b1b491aba1",
            820765,
            "Apache-2.0",
            _ZERO,
        ),
        Entry(
            "zc-transbench101-micro",
            "naslib/zc_transbench101_micro.json",
            "711 TransNAS-Bench-101 micro architectures on 7 tasks: accuracy and proxies",
            f"{_NASLIB}/e5a821c2dadf608042e4e046e386006cf6bd0564/naslib/data/"
            "zc_transbench101_micro.json",
            "f9f2c5d6d9b9a73964f1bffb2869f218e1110755d84ddd4a46a8cf482f799cd1",
            4121429,
            "Apache-2.0",
            _ZERO,
        ),
        Entry(
            "zc-transbench101-macro",
            "naslib/zc_transbench101_macro.json",
            "725 TransNAS-Bench-101 macro architectures on 7 tasks: accuracy and proxies",
            f"{_NASLIB}/e5a821c2dadf608042e4e046e386006cf6bd0564/naslib/data/"
            "zc_transbench101_macro.json",
            "f1d393373855bd7ba29bc81b33adb947ef2518d82aa0e6c003809ce6a4d94212",
            4107092,
            "Apache-2.0",
            _ZERO,
        ),
        Entry(
            "nasbench201-all",
            "tables/nasbench201_all_archs.csv.gz",
            "accuracy of all 15,625 NAS-Bench-201 architectures on 3 data sets, as tidy CSV",
            None,
            "ce85bd753c09933e19a65c78ea8ed94a08e77adec284296cb7c3cc0c78b21f79",
            423192,
            "Apache-2.0",
            "Dong and Yang, NAS-Bench-201, ICLR 2020, arXiv 2001.00326; " + _ZERO,
        ),
        Entry(
            "nasbench201-hardware",
            "tables/nasbench201_hardware__cifar10.csv.gz",
            "latency and energy of all 15,625 NAS-Bench-201 architectures on 6 devices, CIFAR-10",
            None,
            "fb39c3676bb9ba87acb88cf21ec3ad3afa320322094ae898a32fdb0ede6c8eb7",
            376382,
            "MIT",
            "Li et al., HW-NAS-Bench, ICLR 2021, arXiv 2103.10584",
        ),
        Entry(
            "darts1000",
            "swap/DARTS_archs_CIFAR10.csv",
            "1000 DARTS genotypes with CIFAR-10 accuracy after 200 epochs",
            f"{_RAW}/pym1024/SWAP_Universal/13b65704296e941cd8bf9a5c4d82f329fb472c21/datasets/"
            "DARTS_archs_CIFAR10.csv",
            "d28d263aa7dd4103b6a1da1775b1b03ae16ffd2516409ca3bd493c8784abe6b0",
            423509,
            "AFL-3.0",
            "Peng et al., SWAP-NAS, ICLR 2024, arXiv 2403.04161",
        ),
        Entry(
            "bert-benchmark",
            "swap/BERT_benchmark.json",
            "500 FlexiBERT encoders with 8 GLUE scores",
            f"{_SERIANNI}/BERT_benchmark.json",
            "fa2ff7198dcd71e0b8021ed2ace1c221672c33cc56931b6dff31fda3d044784f",
            453164,
            "CC BY 4.0",
            _BERT,
        ),
        Entry(
            "bert-activation",
            "training_free_nas/BERT_results_activation.csv",
            "released training-free metrics of the 500 FlexiBERT encoders",
            f"{_SERIANNI}/BERT_results_activation.csv",
            "95fb60a0e702102d6b09a60d13745068270aa28183b7cc8dacb79d5ec6a4b36d",
            146923,
            "CC BY 4.0",
            _BERT,
        ),
        *(
            Entry(
                f"ood-vit-nas-{size}",
                f"vit/1k_Vit_Architecture_from_AutoFM_{size}.json",
                f"1,001 networks of AutoFormer-{size[0].upper()} with ImageNet accuracy, weights "
                "inherited",
                f"{_OOD_VIT}/architecture_infors/1k_Vit_Architecture_from_AutoFM_{size}.json",
                sha256,
                length,
                "none stated: read at run time, never redistributed",
                "Ho et al., OoD-ViT-NAS, NeurIPS 2024; Chen et al., AutoFormer, ICCV 2021, "
                "arXiv 2107.00651",
            )
            for size, sha256, length in (
                (
                    "tiny",
                    "5e07b49782d4f808c81fa565bcff5432293f832b8822224469f69edb380a1e70",
                    391651,
                ),
                (
                    "small",
                    "d70fb30822848d71ce88efcff071973dce7f2256bc1a5eb663fcc138ca6ee789",
                    358361,
                ),
                (
                    "base",
                    "b7ab49e1411c890f4372a50552c98b7589e75e66b4b42274738a1e07e2cc03ff",
                    393335,
                ),
            )
        ),
        Entry(
            "vitbench-autoformer",
            "vit/gt_autoformer.pth",
            "ViTBench-101: 100 AutoFormer networks on CIFAR-100, Flowers and Chaoyang",
            f"{_AUTO_PROX}/gt_autoformer.pth",
            "712ad277546d9f7f565ce07885be7e0b98dcd8d0724fdd1120f595b517436eca",
            26671,
            "Apache-2.0",
            _VITBENCH,
        ),
        Entry(
            "vitbench-pit",
            "vit/gt_pit.pth",
            "ViTBench-101: 100 PiT networks on CIFAR-100, Flowers and Chaoyang",
            f"{_AUTO_PROX}/gt_pit.pth",
            "bdda89841d4105f99ab759e3243e7a2402929ba7a8430dac12a50256aa533bb2",
            12271,
            "Apache-2.0",
            _VITBENCH,
        ),
        Entry(
            "cifar10",
            "images/cifar-10-python.tar.gz",
            "CIFAR-10 images, the original python batches",
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            170498071,
            "research use",
            _CIFAR,
        ),
        Entry(
            "cifar100",
            "images/cifar-100-python.tar.gz",
            "CIFAR-100 images, the original python batches",
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            169001437,
            "research use",
            _CIFAR,
        ),
    )
}


def entry(name: str) -> Entry:
    """The catalogue's entry of that name; BadArgument when there is none."""
    if name not in CATALOGUE:
        raise BadArgument(f"unknown data {name!r}: expected one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def data_folder() -> Path | None:
    """The folder that NASLIB_SWAP_DATA names; BadFile when it names none that exists."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return None
    if not Path(named).is_dir():
        raise BadFile(
            f"{DATA_VARIABLE} names {named}, which is no folder; correct it, or unset it to use "
            "downloads"
        )
    return Path(named)


def cache_folder() -> Path:
    """Where downloads are kept: NASLIB_SWAP_CACHE, or the system's place for caches."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    import pooch

    return Path(pooch.os_cache("naslib-swap"))


def find(wanted: Entry) -> Path | None:
    """Find a file that is already here, unverified: in the data folder, then in the cache."""
    places = [cache_folder() / wanted.path]
    folder = data_folder()
    if folder is not None:
        places = [folder / wanted.path, folder / Path(wanted.path).name, *places]
    return next((place for place in places if place.is_file()), None)


def verify(wanted: Entry, path: Path) -> None:
    """Read the file; `BadFile` unless its SHA-256 is the catalogue's."""
    _compare(wanted, path, _sha256(path))


def confirm(wanted: Entry, path: Path) -> None:
    """Do as `verify`, without reading a file again that has not changed since it was read last."""
    _compare(wanted, path, verified.digest(path, cache_folder() / VERIFIED, _sha256))


def _compare(wanted: Entry, path: Path, found: str) -> None:
    if found != wanted.sha256:
        raise BadFile(
            f"{path} is not {wanted.name}: its sha256 is {found}, expected {wanted.sha256}; remove "
            f"the file and run `naslib-swap data fetch {wanted.name}`"
        )


def locate(name: str) -> Path:
    """Return the verified file of that name, downloaded when it is not here yet.

    Raises
    ------
    SwapError
        An unknown name, a wrong checksum, or a download that fails.
    """
    wanted = entry(name)
    path = find(wanted)
    if path is None:
        return download(wanted)
    confirm(wanted, path)
    return path


@contextmanager
def without_downloads() -> Iterator[None]:
    """Find only what is here already, inside: what would be downloaded is a `BadFile`."""
    before = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(before)


def download(wanted: Entry, progress: Any = False) -> Path:
    """Download into the cache and verify; nothing is left behind when either fails.

    Parameters
    ----------
    wanted
        What to download.
    progress
        What `pooch.HTTPDownloader` takes as ``progressbar``.

    Raises
    ------
    BadFile
        It has no public address, cannot be downloaded, or what arrived is something else.
    """
    target = cache_folder() / wanted.path
    if not _downloads.get():
        raise BadFile(
            f"{wanted.name} is not here; `naslib-swap data fetch {wanted.name}` fetches it"
        )
    if wanted.url is None:
        raise BadFile(
            f"{wanted.name} has no public download: put the file at {by_hand(wanted)} "
            f"(sha256 {wanted.sha256})"
        )
    import pooch
    import requests

    try:
        pooch.get_logger().setLevel("WARNING")
        pooch.retrieve(
            wanted.url,
            known_hash=f"sha256:{wanted.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise BadFile(
            f"{wanted.name} could not be downloaded from {wanted.url}: {_reason(error)}; put the "
            f"file at {by_hand(wanted)} by hand (sha256 {wanted.sha256})"
        ) from error
    return target


def by_hand(wanted: Entry) -> Path:
    """Where to put a file that was obtained in another way."""
    folder = data_folder()
    return (cache_folder() if folder is None else folder) / wanted.path


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        return "there is no connection"
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        # So pooch reports a wrong checksum; it has removed what it downloaded.
        return "what arrived has another sha256"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with damage(f"{path} cannot be read"), path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()
