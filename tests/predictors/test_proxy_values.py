"""Each proxy against its definition, computed the slow and plain way on tiny networks."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score

SAMPLES = 6


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    ).double()


def minibatch(samples: int = SAMPLES, classes: int = 3) -> SimpleNamespace:
    generator = torch.Generator().manual_seed(1)
    return SimpleNamespace(
        images=torch.randn(samples, 2, 8, 8, generator=generator),
        labels=torch.arange(samples) % classes,
    )


def score(name: str, net: nn.Module, batch: SimpleNamespace, **options: object) -> Score:
    return score_network(Probe(net, batch, settings=options), [name])[name]


def value(name: str, net: nn.Module, batch: SimpleNamespace, **options: object) -> float:
    result = score(name, net, batch, **options)
    assert result.error is None
    assert result.value is not None
    return result.value


def loss(net: nn.Module, batch: SimpleNamespace) -> Tensor:
    return F.cross_entropy(net(batch.images.double()), batch.labels)


def layers(net: nn.Sequential) -> list[nn.Module]:
    return [net[0], net[3], net[7]]


def gradients(net: nn.Sequential, batch: SimpleNamespace) -> list[Tensor]:
    return list(torch.autograd.grad(loss(net, batch), [layer.weight for layer in layers(net)]))


def test_params_counts_weights_biases_and_norms() -> None:
    count = 4 * 2 * 9 + 2 * 4 + 6 * 4 * 9 + 6 + 3 * 6 + 3
    assert value("params", network(), minibatch()) == pytest.approx(count / 1e6)


def test_flops_counts_multiply_accumulates_of_one_image() -> None:
    count = 8 * 8 * 4 * 2 * 9 + 3 * 3 * 6 * 4 * 9 + 6 * 3
    assert value("flops", network(), minibatch()) == pytest.approx(count / 1e6)


def test_depth_is_the_longest_path_in_weighted_layers() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.long = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1))
            self.short = nn.Conv2d(2, 2, 1)
            self.head = nn.Linear(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head((self.long(x) + self.short(x) + x).mean((2, 3)))

    assert value("depth", Branches(), minibatch()) == 3
    known = SimpleNamespace(depth=lambda: 7, parameters=lambda: 9_000_000)
    probe = Probe(Branches(), minibatch(), known=known)
    found = score_network(probe, ["depth", "params"])
    assert (found["depth"].value, found["params"].value) == (7, 9)


@pytest.mark.parametrize(("name", "plain"), [("reg_params", "params"), ("reg_flops", "flops")])
def test_regularised_sizes_are_logarithms_weighed_by_parameters(name: str, plain: str) -> None:
    net, batch = network(), minibatch()
    theta = 1e3 * value("params", net, batch)
    expected = math.log(value(plain, net, batch)) - (theta - 2) ** 2 / 5
    assert value(name, net, batch, mu=2, sigma=5) == pytest.approx(expected)
    assert "sigma missing" in str(score(name, net, batch, mu=2).error)


def test_l2_norm_sums_the_norms_of_the_layers() -> None:
    net = network()
    expected = sum(math.sqrt(float((layer.weight**2).sum())) for layer in layers(net))
    assert value("l2_norm", net, minibatch()) == pytest.approx(expected)


def test_nwot_is_the_log_determinant_of_agreements_counted_one_by_one() -> None:
    net, batch = network().train(), minibatch()
    first = net[:3](batch.images.double())
    second = net[3:5](first)
    patterns = torch.cat([first.flatten(1) > 0, second.flatten(1) > 0], 1).tolist()
    kernel = [[sum(p == q for p, q in zip(a, b)) for b in patterns] for a in patterns]
    expected = np.linalg.slogdet(np.array(kernel, dtype=float))[1]
    assert value("nwot", net, batch) == pytest.approx(expected)


def test_nwot_sees_functions_as_it_sees_modules() -> None:
    class Functional(nn.Module):
        def __init__(self, net: nn.Sequential) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.net[:2](x))
            return self.net[5:](F.relu(self.net[3](x)))

    net, batch = network(), minibatch()
    assert value("nwot", Functional(net), batch) == value("nwot", net, batch)


@given(st.permutations(range(SAMPLES)))
@settings(max_examples=10)
def test_the_order_of_images_does_not_matter(order: list[int]) -> None:
    names = ["nwot", "jacov", "epe_nas", "grad_norm", "fisher"]
    net, batch = network(), minibatch()
    shuffled = SimpleNamespace(images=batch.images[order], labels=batch.labels[order])
    plain = score_network(Probe(net, batch), names)
    other = score_network(Probe(net, shuffled), names)
    for name in names:
        assert other[name].value == pytest.approx(plain[name].value, rel=1e-6)


def test_gradient_proxies_sum_over_weights_of_convolutions_and_linear_layers() -> None:
    net, batch = network().train(), minibatch()
    pairs = [(layer.weight, g) for layer, g in zip(layers(net), gradients(net, batch))]
    expected = {
        "grad_norm": sum(float(g.norm()) for _, g in pairs),
        "snip": sum(float((w * g).abs().sum()) for w, g in pairs),
        "plain": sum(float((w * g).sum()) for w, g in pairs),
    }
    scores = score_network(Probe(net, batch), expected)
    assert {name: scores[name].value for name in expected} == pytest.approx(expected)


def test_fisher_weighs_each_channel_by_the_weights_that_feed_it() -> None:
    net, batch = network().train(), minibatch()
    outputs = []
    x = batch.images.double()
    for module in net:
        x = module(x)
        if module in layers(net):
            outputs.append(x)
    grads = torch.autograd.grad(F.cross_entropy(x, batch.labels), outputs)
    expected = 0.0
    for layer, z, g in zip(layers(net), outputs, grads):
        for channel in range(z.shape[1]):
            by_image = [float((z[s, channel] * g[s, channel]).sum()) for s in range(SAMPLES)]
            delta = sum(v * v for v in by_image) / (2 * SAMPLES)
            expected += delta * layer.weight[channel].numel()
    assert value("fisher", net, batch) == pytest.approx(expected)


def test_nothing_changes_where_activations_overwrite_their_input() -> None:
    class Swish(nn.Sequential):
        def __init__(self, inplace: bool) -> None:
            torch.manual_seed(0)
            super().__init__(
                nn.Conv2d(2, 4, 3), nn.SiLU(inplace), nn.Conv2d(4, 4, 3), nn.ReLU(inplace),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
            )  # fmt: skip

    plain = score_network(Probe(Swish(False), minibatch()), ["fisher", "nwot", "snip", "ntk"])
    written = score_network(Probe(Swish(True), minibatch()), ["fisher", "nwot", "snip", "ntk"])
    assert {k: v.error for k, v in written.items()} == dict.fromkeys(written)
    for name, score_ in plain.items():
        assert written[name].value == pytest.approx(score_.value, rel=1e-6)


def test_fisher_reads_what_a_layer_gave_before_it_was_added_to() -> None:
    class Residual(nn.Module):
        def __init__(self, in_place: bool) -> None:
            torch.manual_seed(0)
            super().__init__()
            self.first, self.second = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1)
            self.classifier, self.in_place = nn.Linear(4, 3), in_place

        def forward(self, x: Tensor) -> Tensor:
            z = F.relu(self.first(x))
            y = self.second(z)
            if self.in_place:
                y += z
            else:
                y = y + z
            return self.classifier(F.relu(y).mean((2, 3)))

    batch = minibatch()
    assert value("fisher", Residual(True), batch) == value("fisher", Residual(False), batch)


def test_fisher_adds_up_the_calls_of_a_layer_used_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv2d(2, 2, 1)
            self.head = nn.Linear(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.conv(self.conv(x)).mean((2, 3)))

    net, batch = Twice(), minibatch()
    scores = score_network(Probe(net, batch), ["fisher", "grad_norm", "depth"])
    first = net.conv(batch.images)
    second = net.conv(first)
    output = net.head(second.mean((2, 3)))
    outputs = [first, second, output]
    grads = torch.autograd.grad(F.cross_entropy(output, batch.labels), outputs)
    deltas = [(z * g).flatten(2).sum(2) if z.ndim > 2 else z * g for z, g in zip(outputs, grads)]
    expected = sum(float(d.pow(2).mean(0).sum()) for d in deltas) / 2 * 2
    assert scores["fisher"].value == pytest.approx(expected, rel=1e-5)
    assert scores["depth"].value == 3


def test_grasp_is_minus_w_h_g_with_a_hessian_by_finite_differences() -> None:
    net, batch = network().train(), minibatch()
    weights = [layer.weight for layer in layers(net)]
    grads = gradients(net, batch)

    def along(step: float) -> list[Tensor]:
        with torch.no_grad():
            for weight, g in zip(weights, grads):
                weight += step * g
        moved = gradients(net, batch)
        with torch.no_grad():
            for weight, g in zip(weights, grads):
                weight -= step * g
        return moved

    step = 1e-5
    products = [(a - b) / (2 * step) for a, b in zip(along(step), along(-step))]
    expected = -sum(float((w * hg).sum()) for w, hg in zip(weights, products))
    assert value("grasp", net, batch) == pytest.approx(expected, rel=1e-4)


def test_jacov_follows_from_the_eigenvalues_of_correlations() -> None:
    net, batch = network().train(), minibatch()
    images = batch.images.double().requires_grad_()
    jacobian = torch.autograd.grad(net(images).sum(), images)[0].flatten(1)
    centred = jacobian - jacobian.mean(1, keepdim=True)
    unit = centred / centred.norm(dim=1, keepdim=True)
    eigenvalues = torch.linalg.svdvals(unit) ** 2
    expected = -float((torch.log(eigenvalues + 1e-5) + 1 / (eigenvalues + 1e-5)).sum())
    assert value("jacov", net, batch) == pytest.approx(expected)


def test_jacov_of_a_linear_network_is_that_of_equal_rows() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
    k, n = 1e-5, SAMPLES
    expected = -(math.log(n + k) + 1 / (n + k) + (n - 1) * (math.log(k) + 1 / k))
    assert value("jacov", net, minibatch()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("classes", [3, 101])
def test_epe_nas_class_by_class(classes: int) -> None:
    net, batch = network().train(), minibatch(7)
    net[7] = nn.Linear(6, classes).double()
    images = batch.images.double().requires_grad_()
    jacobian = torch.autograd.grad(net(images).sum(), images)[0].flatten(1).numpy()
    scores = []
    for label in range(3):
        rows = [jacobian[i] for i in range(7) if int(batch.labels[i]) == label]
        entries = [np.log(abs(np.corrcoef(a, b)[0, 1]) + 1e-5) for a in rows for b in rows]
        scores.append(sum(entries) / (len(rows) if classes > 100 else 1))
    if classes > 100:
        expected = sum(abs(a - b) for a in scores for b in scores) / len(scores)
    else:
        expected = sum(abs(a) for a in scores)
    assert value("epe_nas", net, batch) == pytest.approx(expected)


def test_synflow_of_two_linear_layers_is_twice_the_flow_through_them() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(128, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(),
        nn.Linear(5, 3, bias=False),
    )  # fmt: skip
    flow = float((net[4].weight.abs() @ net[1].weight.abs()).double().sum())
    assert value("synflow", net, minibatch()) == pytest.approx(math.log(2 * flow), rel=1e-6)


def test_synflow_stays_finite_where_float32_overflows() -> None:
    net = nn.Sequential(nn.Flatten(), *[nn.Linear(128, 128, bias=False) for _ in range(4)])
    for layer in net[1:]:
        nn.init.constant_(layer.weight, 1e12)
    expected = math.log(4) + 4 * math.log(1e12) + 5 * math.log(128)
    assert value("synflow", net, minibatch()) == pytest.approx(expected)


def test_zen_follows_its_algorithm_on_a_network_drawn_anew() -> None:
    net, batch = network().float(), minibatch()
    result = score_network(Probe(net, batch, seed=4), ["zen"])["zen"].value
    torch.manual_seed(4)
    for module in net:
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    first = torch.randn(batch.images.shape)
    second = torch.randn(batch.images.shape)
    with torch.no_grad():
        maps = [net.train()[:5](x) for x in (first, first + 0.01 * second)]
        distance = (maps[0] - maps[1]).abs().sum((1, 2, 3)).mean()
        expected = torch.log(distance) + torch.log(net[1].running_var.mean().sqrt())
    assert result == pytest.approx(float(expected), abs=1e-4)  # a difference of like numbers


@pytest.mark.parametrize("parts", [2, 3])
def test_zico_weighs_mean_by_deviation_over_minibatches(parts: int) -> None:
    net, batch = network().train(), minibatch()
    size = SAMPLES // parts
    stacks: list[list[Tensor]] = []
    for start in range(0, SAMPLES, size):
        rows = slice(start, start + size)
        part = SimpleNamespace(images=batch.images[rows], labels=batch.labels[rows])
        stacks.append(gradients(net, part))
    expected = 0.0
    for layer in zip(*stacks):
        g = torch.stack(layer).flatten(1).numpy()
        mean, deviation = np.abs(g).mean(0), g.std(0)
        expected += math.log((mean[deviation > 0] / deviation[deviation > 0]).sum())
    assert value("zico", net, batch, zico_batches=parts) == pytest.approx(expected, rel=1e-5)


def test_linear_regions_counts_the_patterns_of_a_line() -> None:
    # One input value, seven thresholds inside its range, so eight intervals. The images run
    # through the range evenly and every crop is one of them.
    net = nn.Sequential(nn.Conv2d(1, 7, 1), nn.ReLU(), nn.Flatten(), nn.Linear(7, 2))
    nn.init.constant_(net[0].weight, 1.0)
    with torch.no_grad():
        net[0].bias.copy_(-torch.arange(1.0, 8.0))
    batch = SimpleNamespace(
        images=torch.linspace(0, 8, 161).view(-1, 1, 1, 1), labels=torch.zeros(161).long()
    )
    options = {"regions_size": 1, "regions_samples": 1000}
    whole = score("linear_regions", net, batch, regions_width=1, **options)
    assert whole.value == 8
    assert whole.saturation == pytest.approx(8 / 1000)
    with torch.no_grad():
        net[0].bias[1:] = 0  # dead channels are constant: one threshold stays
    thin = score("linear_regions", net, batch, regions_width=1 / 7, **options)
    assert thin.value == 2


class Assorted(nn.Module):
    """Convolutions of every sort, and a linear layer on positions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding="same", padding_mode="circular"),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 8, 3, stride=2, padding=(1, 0), dilation=(1, 2), groups=2),
            nn.BatchNorm2d(8, affine=False),
            nn.ReLU(),
        )
        self.again = nn.Conv2d(8, 8, 1)
        self.position = nn.Linear(8, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        x = self.again(self.again(x))  # one weight, two calls
        return self.head(torch.tanh(self.position(x.flatten(2).transpose(1, 2))).mean(1))


def test_ntk_with_fixed_statistics_equals_image_by_image_gradients() -> None:
    net, batch = Assorted().double(), minibatch()
    # What fixed statistics mean: a network in eval mode whose running statistics are the batch's.
    frozen = Assorted().double().train()
    for module in frozen.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    frozen(batch.images.double())
    frozen.eval()
    for index in (1, 4):
        values = SAMPLES * (64 if index == 1 else 8)
        frozen.body[index].running_var *= (values - 1) / values  # kept unbiased, used biased
    weights = [p for name, p in frozen.named_parameters() if "weight" in name]
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(frozen(image[None]).sum(), weights)])
        for image in batch.images.double()
    ]
    eigenvalues = torch.linalg.svdvals(torch.stack(rows)) ** 2
    assert value("ntk", net, batch) == pytest.approx(float(eigenvalues[0] / eigenvalues[-1]))


def test_ntk_by_batch_goes_back_through_the_statistics() -> None:
    net, batch = network().train(), minibatch()
    weights = [p for p in net.parameters() if p.ndim > 1] + [net[1].weight]
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(out.sum(), weights, retain_graph=True)])
        for out in net(batch.images.double())
    ]
    eigenvalues = torch.linalg.svdvals(torch.stack(rows)) ** 2
    expected = float(eigenvalues[0] / eigenvalues[-1])
    assert value("ntk", net, batch, ntk_statistics="batch") == pytest.approx(expected, rel=1e-5)
    assert value("ntk", net, batch) != pytest.approx(expected, rel=1e-2)


def test_ntk_of_equal_images_is_singular() -> None:
    batch = minibatch()
    batch.images[1] = batch.images[0]
    result = score("ntk", nn.Sequential(nn.Flatten(), nn.Linear(128, 3)), batch)
    assert "the tangent kernel is singular" in str(result.error)


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        ("jacov", "the output does not depend on the images"),
        ("epe_nas", "the output does not depend on the images"),
        ("ntk", "the output does not depend on the images"),
        ("zen", "the feature maps do not depend on the images"),
        ("nwot", "at least two images have the same pattern everywhere"),
    ],
)
def test_a_network_that_cuts_off_its_images_is_named_as_one(proxy: str, reason: str) -> None:
    class CutOff(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(2, 4, 3)
            self.classifier = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.convolution(torch.zeros_like(x))  # as the operation "none" does
            return self.classifier(F.relu(maps).mean((2, 3)))

    assert reason in str(score(proxy, CutOff(), minibatch()).error)
