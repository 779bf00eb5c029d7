from collections import Iterable  # noqa: UP035


def is_many(value):
    return isinstance(value, Iterable)
