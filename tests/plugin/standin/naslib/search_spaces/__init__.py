from .nasbench201.graph import NasBench201SearchSpace

supported_search_spaces = {"nasbench201": NasBench201SearchSpace}


def get_search_space(name, dataset):
    return NasBench201SearchSpace()
