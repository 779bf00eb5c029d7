available_measures = []
_measure_impls = {}


def measure(name, bn=True, copy_net=True):
    def make(function):
        def call(net, device, *args, **options):
            return function(net, *args, **options)

        if name in _measure_impls:
            raise KeyError(f"Duplicated measure! {name}")
        available_measures.append(name)
        _measure_impls[name] = call
        return function

    return make


def calc_measure(name, net, device, *args, **options):
    return _measure_impls[name](net, device, *args, **options)


@measure("l2_norm")
def l2_norm(net, inputs, targets, loss_fn, split_data=1):
    return [p.norm() for p in net.parameters()]
