"""Zero-cost proxies, one file each: what each module calls ``PROXY`` is found by its name.

The passes that proxies share stand in :mod:`naslib_swap.predictors.passes`, their types and the
look-up by name in :mod:`naslib_swap.proxies`.
"""
