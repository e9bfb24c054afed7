"""How a person walks: joints at a moment, with feet that stand still while they bear weight.

Stance takes 0.62 of a cycle and each foot follows its own schedule (Perry and Burnfield, "Gait
Analysis", 2010: heel strike, foot flat, heel off, toe off); step length grows with the root of
speed (Grieve and Gear, 1966). Knees and elbows follow from two bones and where their ends are.
Metres in the walker's frame: x right, y up, z forward, origin on the ground below the pelvis.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from generator.lab.train.scenes.shots import constants

__all__ = ["STANCE", "Body", "body", "stride"]

STANCE = 0.62
THIGH = SHIN = 0.45
UPPER_ARM, FOREARM = 0.29, 0.30
ANKLE, BALL, HEEL, TOE = 0.085, 0.13, -0.06, 0.19


class Body(NamedTuple):
    """Joints [N, 3]; pairs are left, right."""

    pelvis: Tensor
    neck: Tensor
    hip: tuple[Tensor, Tensor]
    knee: tuple[Tensor, Tensor]
    ankle: tuple[Tensor, Tensor]
    heel: tuple[Tensor, Tensor]
    ball: tuple[Tensor, Tensor]
    toe: tuple[Tensor, Tensor]
    shoulder: tuple[Tensor, Tensor]
    elbow: tuple[Tensor, Tensor]
    hand: tuple[Tensor, Tensor]


def stride(speed: Tensor) -> Tensor:
    """Metres that a whole cycle (two steps) carries at a speed in m/s."""
    return 1.24 * (speed / 1.25).sqrt()


def _s(x: Tensor) -> Tensor:
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _foot(q: Tensor, length: Tensor, x: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ankle, heel, ball and toe of a foot whose cycle is at q in [0, 1), 0 its heel strike."""
    reach = STANCE * length / 2
    r = ((q - STANCE) / (1 - STANCE)).clamp(0, 1)
    slope = -length * (1 - STANCE)
    swing = (
        (2 * r**3 - 3 * r**2 + 1) * -reach
        + (r**3 - 2 * r**2 + r) * slope
        + (3 * r**2 - 2 * r**3) * reach
        + (r**3 - r**2) * slope
    )
    z = torch.where(q < STANCE, reach - length * q, swing)
    lift = 0.07 * 16 * r**2 * (1 - r) ** 2
    rise = 0.8 * ((q - 0.36) / (STANCE - 0.36)).clamp(0, 1) ** 2
    strike = -0.32 * (1 - q / 0.1).clamp(0, 1) ** 2
    turn = torch.where(
        q < STANCE, rise + strike, torch.lerp(0.8 + 0 * r, -0.32 + 0 * r, _s(r * 1.1))
    )
    pivot = torch.where(q < STANCE, torch.where(q < 0.3, HEEL, BALL), BALL + (HEEL - BALL) * _s(r))
    c, s = turn.cos(), turn.sin()

    def point(up: float, ahead: float) -> Tensor:
        away = ahead - pivot
        return torch.stack([x + 0 * z, lift + up * c - away * s, z + pivot + away * c + up * s], -1)

    return point(ANKLE, 0.0), point(0.0, HEEL), point(0.0, BALL), point(0.0, TOE)


def _joint(a: Tensor, b: Tensor, first: float, second: float, forward: float) -> Tensor:
    """The middle joint of two bones from a to b, bent forward (+1) or back (-1)."""
    d = b - a
    span = d.norm(dim=-1, keepdim=True).clamp_min(1e-4)
    along = ((span**2 + first**2 - second**2) / (2 * span)).clamp(max=first)
    bend = (first**2 - along**2).clamp_min(1e-6).sqrt()
    n = d / span
    x = constants(n, 0.0, 0.0, forward)
    side = x - n * (n * x).sum(-1, keepdim=True)
    return a + n * along + side / side.norm(dim=-1, keepdim=True).clamp_min(1e-4) * bend


def body(cycle: Tensor, speed: Tensor) -> Body:
    """A walker's joints. cycle [N]: cycles walked, whole numbers at the left heel's strikes;
    speed [N] in m/s."""
    length = stride(speed)
    turn = 2 * math.pi * cycle
    zero = torch.zeros_like(cycle)
    reach = STANCE * length / 2
    high = (0.895**2 - reach**2).sqrt() + ANKLE
    bob = 0.016 * (1 + torch.cos(2 * turn - 2 * math.pi * STANCE))
    sway = -0.022 * torch.sin(turn)
    pelvis = torch.stack([sway, high + bob, zero], -1)
    neck = torch.stack([sway * 0.6, high + bob + 0.58, 0.035 + 0 * zero], -1)
    lists: list[list[Tensor]] = [[] for _ in range(9)]
    for x, ahead in ((-1.0, 0.0), (1.0, 0.5)):
        q = cycle + ahead
        q = q - q.floor()
        forward = torch.cos(2 * math.pi * q)
        hip = pelvis + torch.stack([x * 0.09 + zero, 0 * zero, 0.02 * forward], -1)
        ankle, heel, ball, toe = _foot(q, length, x * 0.085)
        knee = _joint(hip, ankle, THIGH, SHIN, 1.0)
        shoulder = neck + torch.stack(
            [x * 0.205 + zero, -0.07 - 0.006 * forward, -0.035 * forward], -1
        )
        angle = -(0.22 + 0.16 * speed) * torch.cos(2 * math.pi * (q - 0.03)) - 0.02
        bent = angle + 0.28 + 0.2 * (1 - torch.cos(2 * math.pi * (q - 0.03))) / 2
        out = x * 0.05
        elbow = shoulder + UPPER_ARM * torch.stack(
            [out + x * 0.06 + zero, -angle.cos(), angle.sin()], -1
        )
        hand = elbow + FOREARM * torch.stack([out - x * 0.06 + zero, -bent.cos(), bent.sin()], -1)
        for store, value in zip(
            lists, (hip, knee, ankle, heel, ball, toe, shoulder, elbow, hand), strict=True
        ):
            store.append(value)
    return Body(pelvis, neck, *((a, b) for a, b in lists))
