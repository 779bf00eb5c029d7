"""Small networks of many kinds, with what an independent recount must know of each.

Every builder takes a dropout probability; the same seed gives the same weights at any probability.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Case:
    """A network and its inputs.

    ``axis``, ``outer``: activations have samples in dimension ``axis``, which is [outer, S, inner].
    ``each``: every call is one sample's; their order is samples within layers, or the reverse.
    ``spelt``: classes whose output counts as a signed activation, and nothing inside.
    """

    name: str
    build: Callable[[float], nn.Module]
    inputs: Any
    axis: int = 0
    outer: int = 1
    each: str = ""
    spelt: tuple[str, ...] = ()


class Net(nn.Module):
    """Layers and a function of (self, inputs)."""

    def __init__(self, function: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self, *args, **kwargs)


class DropPath(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        keep = x.new_empty(len(x), *[1] * (x.dim() - 1)).bernoulli_(1 - self.p)
        return x * keep / (1 - self.p)


class QuickGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class NewGELUActivation(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))


class h_swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * F.relu6(x + 3) / 6


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.sigmoid()


class SqueezeExcite(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, width // 2, 1), nn.Conv2d(width // 2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.up(F.relu(self.down(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)


class Attention(nn.Module):
    """As timm writes it."""

    def __init__(self, width: int, heads: int, p: float, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.p, self.causal = heads, p, causal
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        s, t, w = x.shape
        qkv = self.qkv(x).reshape(s, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        dropout = self.p if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=self.causal)
        return self.proj(y.transpose(1, 2).reshape(s, t, w))


class Block(nn.Module):
    def __init__(self, width: int, p: float, activation: nn.Module, causal: bool = False) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = Attention(width, 2, p, causal)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), activation, nn.Dropout(p), nn.Linear(2 * width, width)
        )
        self.path = DropPath(p)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.path(self.attention(self.norms[0](x)))
        return x + self.path(self.mlp(self.norms[1](x)))


class WindowBlock(nn.Module):
    """As in Swin: windows of 2 x 2 are folded into the batch, shifted by one."""

    def __init__(self, width: int, p: float) -> None:
        super().__init__()
        self.block = Block(width, p, nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        s, h, w, c = x.shape
        x = torch.roll(x, (-1, -1), (1, 2))
        x = x.view(s, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
        x = self.block(x).view(s, h // 2, w // 2, 2, 2, c).transpose(2, 3).reshape(s, h, w, c)
        return torch.roll(x, (1, 1), (1, 2))


class Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.relu(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


@torch.jit.script
def scripted(x: Tensor) -> Tensor:
    return torch.relu(x) * 2


def conv(i: int, o: int, k: int = 3, **options: Any) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, k, padding=k // 2, **options), nn.BatchNorm2d(o))


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


IMAGES, TOKENS, ROWS = noise(6, 3, 8, 8), noise(6, 5, 8), noise(6, 8)


def _activations() -> list[Case]:
    kinds = [
        *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
        *(nn.Hardswish, nn.PReLU, nn.RReLU),
    ]
    cases = [
        Case(
            f"module {kind.__name__}",
            lambda p, kind=kind: nn.Sequential(nn.Linear(8, 20), nn.Dropout(p), kind()),
            ROWS,
        )
        for kind in kinds
    ]
    calls: dict[str, Callable[[Tensor], Tensor]] = {
        "relu_": lambda x: x.relu_(),
        "leaky_relu_": lambda x: F.leaky_relu_(x, 0.2),
        "elu": F.elu,
        "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
        "hardtanh 0 6": lambda x: F.hardtanh(x, 0, 6),
        "silu in place": lambda x: F.silu(x, inplace=True),
        "aten packet": lambda x: torch.ops.aten.relu(x),
        "aten overload": lambda x: torch.ops.aten.leaky_relu.default(x, 0.1),
        "autograd function": Rectify.apply,
        "scripted function": scripted,
    }
    return cases + [
        Case(
            f"function {name}",
            lambda p, call=call: Net(
                lambda m, x: m.b(F.dropout(call(m.a(x)), p, m.training)),
                a=nn.Linear(8, 20),
                b=nn.Sequential(nn.Linear(20, 9), nn.ReLU()),
            ),
            ROWS,
        )
        for name, call in calls.items()
    ]


def _convolutional() -> list[Case]:
    def residual(p: float) -> nn.Module:
        return Net(
            lambda m, x: F.relu(m.b(F.relu(m.a(x))) + m.c(x)),
            **{"a": conv(3, 6), "b": conv(6, 6), "c": conv(3, 6, 1)},
        )

    def dense(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            for layer in m.layers:
                x = torch.cat([x, F.dropout(F.relu(layer(x)), p, m.training)], 1)
            return x

        return Net(run, layers=nn.ModuleList(conv(3 + 4 * n, 4) for n in range(3)))

    def inverted(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            x = m.stem(x)
            y = m.squeeze(m.act(m.depthwise(m.act(m.expand(x)))))
            return x + m.path(m.project(y))

        return Net(
            run,
            stem=conv(3, 6),
            expand=conv(6, 12, 1),
            depthwise=conv(12, 12, groups=12),
            squeeze=SqueezeExcite(12),
            project=conv(12, 6, 1),
            act=nn.SiLU(inplace=True),
            path=DropPath(p),
        )

    def shuffled(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            a, b = m.a(x).chunk(2, 1)
            y = torch.cat([a, F.relu(m.b(b))], 1)
            return F.relu(y.view(len(y), 2, 3, 8, 8).transpose(1, 2).reshape(len(y), 6, 8, 8))

        return Net(run, a=conv(3, 6), b=conv(3, 3))

    def unet(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            a = F.relu(m.a(x))
            b = F.dropout2d(F.relu(m.b(F.max_pool2d(a, 2))), p, m.training)
            return F.relu(m.c(torch.cat([a, F.interpolate(b, scale_factor=2)], 1)))

        return Net(run, a=conv(3, 4), b=conv(4, 6), c=conv(10, 4))

    def cell(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            states = [x, x]
            for node in range(2):
                states.append(sum(m.path(m.ops[2 * node + n](F.relu(states[n]))) for n in range(2)))
            return torch.cat(states[2:], dim=1)

        ops = [conv(3, 3), conv(3, 3, groups=3), nn.AvgPool2d(3, 1, 1), nn.Identity()]
        return Net(run, ops=nn.ModuleList(ops), path=DropPath(p))

    def reduced(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            x = F.relu(x)
            return m.n(torch.cat([m.a(x), m.b(x[:, :, 1:, 1:])], dim=1)).relu()

        stride = {"kernel_size": 1, "stride": 2}
        return Net(
            run, a=nn.Conv2d(3, 3, **stride), b=nn.Conv2d(3, 3, **stride), n=nn.BatchNorm2d(6)
        )

    def next_(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            y = m.n(m.d(x).permute(0, 2, 3, 1))
            return x + m.path(m.b(F.gelu(m.a(y))).permute(0, 3, 1, 2))

        return Net(
            run,
            d=nn.Conv2d(3, 3, 7, padding=3, groups=3),
            n=nn.LayerNorm(3),
            a=nn.Linear(3, 12),
            b=nn.Linear(12, 3),
            path=DropPath(p),
        )

    def by_hand(p: float) -> nn.Module:
        """Batch statistics written out."""

        def run(m: Any, x: Tensor) -> Tensor:
            y = m.a(x)
            mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True)
            return F.relu((y - mean) / (var + 1e-5).sqrt())

        return Net(run, a=nn.Conv2d(3, 5, 3))

    def auxiliary(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Any:
            x = F.relu(m.a(x))
            out = m.b(x.mean((2, 3)))
            return (out, F.relu(m.c(x.mean((2, 3))))) if m.training else out

        return Net(run, a=conv(3, 6), b=nn.Linear(6, 4), c=nn.Linear(6, 4))

    plain = {
        "vgg": lambda p: nn.Sequential(
            *(conv(3, 6), nn.ReLU(True), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(p)),
            *(nn.Linear(96, 20), nn.ReLU(True), nn.Dropout(p), nn.Linear(20, 9), nn.ReLU()),
        ),
        "selu with alpha dropout": lambda p: nn.Sequential(
            *(nn.Flatten(), nn.Linear(192, 20), nn.SELU(), nn.AlphaDropout(p)),
            *(nn.Linear(20, 20), nn.SELU(), nn.FeatureAlphaDropout(p)),
        ),
        "group and instance norm": lambda p: nn.Sequential(
            *(nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.ReLU(), nn.Dropout2d(p)),
            *(nn.Conv2d(6, 6, 3), nn.InstanceNorm2d(6), nn.LeakyReLU(0.1)),
        ),
        "no running statistics": lambda p: nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU()
        ),
        "transposed": lambda p: nn.Sequential(nn.ConvTranspose2d(3, 4, 2, stride=2), nn.ReLU()),
        "maps folded": lambda p: Net(
            lambda m, x: m.b(F.relu(m.a(x)).flatten(0, 1).unsqueeze(1)).relu(),
            **{"a": conv(3, 4), "b": nn.Conv2d(1, 2, 3)},
        ),
        "mobilenet 3": lambda p: nn.Sequential(conv(3, 6), h_swish(), SqueezeExcite(6), h_swish()),
        "relu6": lambda p: nn.Sequential(
            conv(3, 6), nn.ReLU6(inplace=True), conv(6, 6), nn.ReLU6()
        ),
        "swish": lambda p: nn.Sequential(conv(3, 6), Swish(), DropPath(p), conv(6, 6), Swish()),
        "relu stem, gelu body": lambda p: nn.Sequential(
            conv(3, 6), nn.ReLU(), conv(6, 6), nn.GELU()
        ),
    }
    spelt = {"mobilenet 3": ("h_swish",), "swish": ("Swish",)}
    built = {
        **plain,
        "residual": residual,
        "dense": dense,
        "inverted": inverted,
        "shuffled": shuffled,
        "unet": unet,
        "cell": cell,
        "reduced": reduced,
        "next": next_,
        "batch statistics by hand": by_hand,
        "auxiliary head": auxiliary,
    }
    return [
        Case(name, build, IMAGES, spelt=spelt.get(name, ())) for name, build in built.items()
    ] + [
        Case("audio", lambda p: nn.Sequential(nn.Conv1d(2, 6, 3), nn.ReLU()), noise(6, 2, 20)),
        Case("video", lambda p: nn.Sequential(nn.Conv3d(1, 4, 2), nn.GELU()), noise(6, 1, 4, 4, 4)),
    ]


def _transformers() -> list[Case]:
    def torch_encoder(p: float) -> nn.Module:
        layer = nn.TransformerEncoderLayer(8, 2, 16, p, batch_first=True)
        return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def images_as_tokens(x: Tensor) -> Tensor:
        return F.unfold(x, 2, stride=2).transpose(1, 2)  # [S, 16, 12]

    def vit(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            x = m.embed(images_as_tokens(x))
            x = torch.cat([m.cls.weight.expand(len(x), 1, -1), x], 1)
            return m.blocks(m.drop(x))[:, 0]

        blocks = nn.Sequential(*(Block(8, p, nn.GELU()) for _ in range(2)))
        return Net(
            run, embed=nn.Linear(12, 8), cls=nn.Embedding(1, 8), blocks=blocks, drop=nn.Dropout(p)
        )

    def swin(p: float) -> nn.Module:
        return Net(
            lambda m, x: m.blocks(m.embed(x).permute(0, 2, 3, 1)),
            embed=nn.Conv2d(3, 8, 2, stride=2),
            blocks=nn.Sequential(WindowBlock(8, p), WindowBlock(8, p)),
        )

    def mixer(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            x = images_as_tokens(x)
            x = x + m.tokens(x.transpose(1, 2)).transpose(1, 2)
            return x + m.channels(x)

        return Net(
            run,
            tokens=nn.Sequential(nn.Linear(16, 9), nn.GELU(), nn.Dropout(p), nn.Linear(9, 16)),
            channels=nn.Sequential(nn.Linear(12, 9), nn.GELU(), nn.Linear(9, 12)),
        )

    def latents(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            q = m.latents.weight.expand(len(x), -1, -1)
            return F.gelu(m.out(m.attention(q, x, x)[0]))

        attention = nn.MultiheadAttention(8, 2, dropout=p, batch_first=True)
        return Net(run, latents=nn.Embedding(4, 8), attention=attention, out=nn.Linear(8, 12))

    def gated(p: float) -> nn.Module:
        return Net(
            lambda m, x: m.b(F.dropout(F.silu(m.a(x)) * m.c(x), p, m.training)).relu(),
            **{"a": nn.Linear(8, 12), "b": nn.Linear(12, 8), "c": nn.Linear(8, 12)},
        )

    def einsum(p: float) -> nn.Module:
        return Net(
            lambda m, x: F.gelu(torch.einsum("std,dw->stw", x, m.a.weight)), a=nn.Linear(12, 8)
        )

    def experts(p: float) -> nn.Module:
        """Dense mixture: every expert sees every token; experts come first."""

        def run(m: Any, x: Tensor) -> Tensor:
            y = F.silu(torch.einsum("std,edw->estw", x, m.a.weight.view(3, 8, 10)))
            return y.sum(0)

        return Net(run, a=nn.Embedding(3, 80))

    def tokens_first(p: float) -> nn.Module:
        return Net(
            lambda m, x: m.t(F.unfold(x, 2, stride=2).permute(2, 0, 1)),
            t=nn.TransformerEncoderLayer(12, 2, 16, p),
        )

    def gpt(p: float) -> nn.Module:
        return Block(8, p, NewGELUActivation(), causal=True)

    def translate(p: float) -> nn.Module:
        net = nn.Transformer(8, 2, 1, 1, 16, p, batch_first=True)
        return Net(lambda m, x: m.t(x, x.flip(1)), t=net)

    def folded(p: float) -> nn.Module:
        return Net(lambda m, x: F.gelu(m.a(x.reshape(-1, 8))).view(len(x), -1), a=nn.Linear(8, 12))

    return [
        Case("torch, batch first", torch_encoder, TOKENS),
        Case("torch, tokens first", tokens_first, IMAGES, axis=1),
        Case("torch, as many tokens as samples", tokens_first, noise(16, 3, 8, 8), axis=1),
        Case("torch, encoder and decoder", translate, TOKENS),
        Case("vit", vit, IMAGES),
        Case("swin", swin, IMAGES),
        Case("mixer", mixer, IMAGES),
        Case("latents", latents, TOKENS),
        Case("gated", gated, TOKENS),
        Case("einsum", einsum, TOKENS),
        Case("dense experts", experts, TOKENS, axis=1),
        Case("tokens folded", folded, TOKENS),
        Case(
            "gpt",
            lambda p: Block(8, p, NewGELUActivation(), True),
            TOKENS,
            spelt=("NewGELUActivation",),
        ),
        Case("clip", lambda p: Block(8, p, QuickGELU()), TOKENS, spelt=("QuickGELU",)),
        Case("relu block", lambda p: Block(8, p, nn.ReLU()), TOKENS),
    ]


def _others() -> list[Case]:
    def views(p: float) -> nn.Module:
        return Net(lambda m, x: F.relu(m.a(torch.cat([x, x.flip(1)]))), a=nn.Linear(8, 12))

    def heads(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            y = m.a(x).view(len(x), 3, 4).transpose(0, 1).reshape(-1, 4)
            return F.gelu(m.b(y))

        return Net(run, a=nn.Linear(8, 12), b=nn.Linear(4, 10))

    def row_by_row(p: float) -> nn.Module:
        return Net(
            lambda m, x: torch.stack([F.relu(m.b(F.gelu(m.a(row)))) for row in x]),
            **{"a": nn.Linear(8, 12), "b": nn.Linear(12, 9)},
        )

    def layer_by_layer(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            rows = [F.relu(m.a(row)) for row in x]
            return torch.stack([F.relu(m.b(row)) for row in rows])

        return Net(run, a=nn.Linear(8, 12), b=nn.Linear(12, 9))

    def unrolled(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            state = x.new_zeros(len(x), 7)
            for step in x.unbind(1):
                state = m.cell(step, state)
            return state

        return Net(run, cell=nn.RNNCell(8, 7, nonlinearity="relu"))

    def graph(p: float) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            adjacency = torch.softmax(x @ x.transpose(1, 2), -1)
            return F.elu(adjacency @ m.b(F.relu(adjacency @ m.a(x))))

        return Net(run, a=nn.Linear(8, 7), b=nn.Linear(7, 6))

    def recurrent(kind: type[nn.RNNBase], **options: Any) -> Callable[[float], nn.Module]:
        layers = options.get("num_layers", 1)
        return lambda p: Net(
            lambda m, x: F.relu(m.a(m.rnn(x)[0])),
            rnn=kind(8, 7, batch_first=True, dropout=p if layers > 1 else 0.0, **options),
            a=nn.Linear(14 if options.get("bidirectional") else 7, 9),
        )

    return [
        Case("two views", views, ROWS, outer=2),
        Case("heads first", heads, ROWS, outer=3),
        Case("row by row", row_by_row, ROWS, each="samples outside"),
        Case("layer by layer", layer_by_layer, ROWS, each="samples inside"),
        Case("cell of an rnn", unrolled, TOKENS),
        Case("graph", graph, TOKENS),
        Case("deep sets", lambda p: nn.Sequential(nn.Linear(8, 9), nn.ReLU()), TOKENS),
        Case("rnn", recurrent(nn.RNN, nonlinearity="relu"), TOKENS),
        Case("deep rnn", recurrent(nn.RNN, nonlinearity="relu", num_layers=3), TOKENS),
        Case("rnn both ways", recurrent(nn.RNN, nonlinearity="relu", bidirectional=True), TOKENS),
        Case("lstm", recurrent(nn.LSTM, num_layers=2), TOKENS),
        Case("gru", recurrent(nn.GRU), TOKENS),
    ]


CASES = [*_activations(), *_convolutional(), *_transformers(), *_others()]
