from .gp.gpwl_utils.vertex_histogram import is_many
from .zerocost import ZeroCost

__all__ = ["ZeroCost", "is_many"]
