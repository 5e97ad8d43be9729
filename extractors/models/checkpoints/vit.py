"""TransReID: a vision transformer with overlapping patches, camera embeddings and a jigsaw of local features.

Source: He et al., "TransReID: Transformer-based Object Re-Identification", ICCV 2021; parameter names as in its
public code. Outputs equal to those of timm's ViT and of the published formulas on random weights; no trained
checkpoint was at hand.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from extractors.models.checkpoints.resnet import Shapes

PATCH = 16
SIZES = ((256, 128), (384, 128), (256, 256), (224, 224), (384, 192), (384, 384), (320, 320))
STRIDES = (16, 12, 14, 11, 10, 8)


@dataclass(frozen=True)
class Plan:
    """ViT-Base unless said otherwise."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    hidden: int = 3072
    qkv_bias: bool = True
    tokens: int = 129
    embeddings: int = 0  # rows of the camera and view embeddings
    jigsaw: bool = False
    scale: float | None = None  # of the attention's products; None: 1 / sqrt(width of a head)


def plan(shapes: Shapes, prefix: str = "base.") -> Plan | None:
    """Read off the keys which of the published transformers it is; None: none of them.

    The number of heads is in no key: ViT-Base (768 wide, 12 deep) has 12, DeiT-Small (384 wide) 6, and the small
    ViT (8 deep) 8 with products scaled by 1 / sqrt(768).
    """
    depth = 0
    while f"{prefix}blocks.{depth}.norm1.weight" in shapes:
        depth += 1
    width = shapes.get(f"{prefix}cls_token", (1, 1, 0))[-1]
    heads = {(768, 12): 12, (384, 12): 6, (768, 8): 8}.get((width, depth))
    if heads is None:
        return None
    return Plan(
        width,
        depth,
        heads,
        shapes.get(f"{prefix}blocks.0.mlp.fc1.weight", (0,))[0],
        f"{prefix}blocks.0.attn.qkv.bias" in shapes,
        (*shapes.get(f"{prefix}pos_embed", (1, 0)), 0, 0)[1],
        shapes.get(f"{prefix}sie_embed", (0,))[0],
        "b1.0.norm1.weight" in shapes,
        768**-0.5 if depth == 8 else None,
    )


def patches(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of patches."""
    return (size[0] - PATCH) // stride + 1, (size[1] - PATCH) // stride + 1


def sizes(tokens: int, size: tuple[int, int] | None, stride: int | None) -> list[tuple[tuple[int, int], int]]:
    """The usual image sizes and strides that give so many tokens (one is the class's); those given are kept to."""
    found = []
    for one in [size] if size else SIZES:
        for step in [stride] if stride else STRIDES:
            rows, columns = patches(one, step)
            if rows * columns == tokens - 1:
                found.append((one, step))
    return found


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.heads, self.scale = plan.heads, plan.scale
        self.qkv = nn.Linear(plan.width, 3 * plan.width, bias=plan.qkv_bias)
        self.proj = nn.Linear(plan.width, plan.width)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        split = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(split[0], split[1], split[2], scale=self.scale)
        return self.proj(seen.transpose(1, 2).reshape(n, tokens, width))


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.fc1 = nn.Linear(plan.width, plan.hidden)
        self.fc2 = nn.Linear(plan.hidden, plan.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and two layers, each normalized before and added after."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(plan.width, eps=1e-6)
        self.attn = Attention(plan)
        self.norm2 = nn.LayerNorm(plan.width, eps=1e-6)
        self.mlp = Mlp(plan)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Patches of 16 x 16 pixels, ``stride`` apart, as tokens row by row."""

    def __init__(self, plan: Plan, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, plan.width, PATCH, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class Transformer(nn.Module):
    """Images to tokens before the last block.

    embedding: the row of the camera and view embeddings that all images get (camera * views + view); None: none.
    strength:  its factor (SIE_COE).
    """

    def __init__(self, plan: Plan, stride: int, embedding: int | None, strength: float) -> None:
        super().__init__()
        self.embedding, self.strength = embedding, strength
        self.patch_embed = PatchEmbed(plan, stride)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, plan.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, plan.tokens, plan.width))
        if plan.embeddings:
            self.sie_embed = nn.Parameter(torch.zeros(plan.embeddings, 1, plan.width))
        self.blocks = nn.ModuleList(Block(plan) for _ in range(plan.depth))
        self.norm = nn.LayerNorm(plan.width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        if self.embedding is not None:
            x = x + self.strength * self.sie_embed[self.embedding]
        for block in list(self.blocks)[:-1]:
            x = block(x)
        return x


class TransReID(nn.Module):
    """Images to the class token, with the jigsaw followed by four local features, each over 4.

    after:    the features after their batch normalization instead of before.
    shuffled: the jigsaw's patches shifted by 5 and dealt out in 2 groups (RE_ARRANGE).
    """

    def __init__(
        self,
        plan: Plan,
        stride: int,
        *,
        embedding: int | None,
        strength: float = 3.0,
        after: bool = False,
        shuffled: bool = True,
    ) -> None:
        super().__init__()
        self.jigsaw, self.after, self.shuffled = plan.jigsaw, after, shuffled
        self.base = Transformer(plan, stride, embedding, strength)
        self.bottleneck = nn.BatchNorm1d(plan.width)
        if plan.jigsaw:
            for number in (1, 2):
                last = nn.Sequential(Block(plan), nn.LayerNorm(plan.width, eps=1e-6))
                self.add_module(f"b{number}", last)
            for number in range(1, 5):
                self.add_module(f"bottleneck_{number}", nn.BatchNorm1d(plan.width))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        tokens = self.base(x)
        if not self.jigsaw:
            feature = self.base.norm(self.base.blocks[-1](tokens))[:, 0]
            return {"": self.bottleneck(feature) if self.after else feature}
        everything = [self.get_submodule("b1")(tokens)[:, 0]]
        local = deal(tokens) if self.shuffled else tokens[:, 1:]
        length = (tokens.shape[1] - 1) // 4
        for number in range(4):
            piece = torch.cat([tokens[:, :1], local[:, number * length : (number + 1) * length]], 1)
            everything.append(self.get_submodule("b2")(piece)[:, 0])
        if self.after:
            names = ["bottleneck", *(f"bottleneck_{number}" for number in range(1, 5))]
            everything = [self.get_submodule(name)(one) for name, one in zip(names, everything, strict=True)]
        feature, *parts = everything
        return {"": torch.cat([feature, *(part / 4 for part in parts)], 1)}


def deal(tokens: Tensor, shift: int = 5, groups: int = 2) -> Tensor:
    """Patches begun at ``shift`` and dealt out to ``groups``, then interleaved; the class token is dropped.

    An odd number of patches is filled up with the last but one, as the public code does.
    """
    x = torch.cat([tokens[:, shift:], tokens[:, 1:shift]], 1)
    if x.shape[1] % groups:
        x = torch.cat([x, x[:, -2:-1]], 1)
    n, count, width = x.shape
    return x.reshape(n, groups, count // groups, width).transpose(1, 2).reshape(n, count, width)
