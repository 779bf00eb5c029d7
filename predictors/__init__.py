"""Zero-cost proxies, one file each: each module defines ``PROXY``.

The passes that proxies share are in :mod:`naslib_swap.predictors.passes`; the types of proxies, and
finding one by its name, in :mod:`naslib_swap.proxies`.
"""
