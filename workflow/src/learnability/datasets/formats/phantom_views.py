"""How a phantom of each modality is drawn: organs and lesions as smooth shapes, by rules that a network can learn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """A picture being drawn: coordinates (H, W) in the frame of the anatomy, and its random streams.

    The body spans about -1 to 1 in both directions. `group` repeats for all images of a group (a patient),
    `image` is different for each.
    """

    y: np.ndarray
    x: np.ndarray
    group: np.random.Generator
    image: np.random.Generator

    def ellipse(self, cy, cx, ry, rx, edge=0.06, tilt=0.0, lobes=0.0) -> np.ndarray:
        """Soft mask (H, W) of an ellipse; `tilt` in radians, `lobes` the depth of its dents."""
        dy, dx = self.y - cy, self.x - cx
        down = (dy * np.cos(tilt) - dx * np.sin(tilt)) / ry
        across = (dy * np.sin(tilt) + dx * np.cos(tilt)) / rx
        radius = np.hypot(down, across)
        if lobes:
            angle = np.arctan2(down, across)
            radius = radius * (1 + lobes * np.cos(5 * angle + 1) + 0.7 * lobes * np.cos(3 * angle))
        return np.clip(0.5 + (1 - radius) * min(ry, rx) / edge, 0, 1)

    def waves(self, pixels, angle, bend=0.08) -> np.ndarray:
        """Slightly bent grating (H, W) in -1 to 1; the period is in pixels of a 64 px image."""
        across = self.x * np.cos(angle) + self.y * np.sin(angle)
        along = self.y * np.cos(angle) - self.x * np.sin(angle)
        bent = across + bend * np.sin(3 * along + self.image.uniform(0, 6))
        return np.cos(64 * np.pi / pixels * bent + self.image.uniform(0, 6))

    def cells(self, pixels, angle) -> np.ndarray:
        """Hexagonal lattice (H, W) of bright round cells, about -0.5 to 1."""
        thirds = (angle, angle + np.pi / 3, angle + 2 * np.pi / 3)
        y, x = (64 * np.pi / pixels * (axis + self.image.uniform(0, 0.3)) for axis in (self.y, self.x))
        return sum(np.cos(x * np.cos(third) + y * np.sin(third)) for third in thirds) / 3

    def spots(self, centres, radius) -> np.ndarray:
        """Sum (H, W) of soft round spots at `centres` (n, 2), each (y, x)."""
        total = np.zeros_like(self.y)
        for cy, cx in centres:
            total += np.exp(-((self.y - cy) ** 2 + (self.x - cx) ** 2) / radius**2)
        return np.minimum(total, 1)

    def field(self, rng, cycles=2.0) -> np.ndarray:
        """Smooth random field (H, W) of about unit variance; `cycles` is its highest frequency."""
        total = np.zeros_like(self.y)
        for frequency, angle, phase in rng.uniform((0.2, 0, 0), (1, 6.3, 6.3), (6, 3)):
            direction = self.x * np.cos(angle) + self.y * np.sin(angle)
            total += np.cos(np.pi * cycles * frequency * direction + phase)
        return total / np.sqrt(3)


def draw_chest(view: View, label_name: str) -> np.ndarray:
    """Frontal chest radiograph (H, W): mediastinum, two lungs, ribs, and the disease inside the lungs."""
    group = view.group
    height, width, apart = group.uniform((0.66, 0.33, 0.42), (0.76, 0.38, 0.46))
    lungs = view.ellipse(-0.1, -apart, height, width) + view.ellipse(-0.1, apart, height, width)
    lungs = np.minimum(lungs, 1) * np.clip(1 + (0.45 - view.y - 0.3 * view.x**2) / 0.12, 0, 1)
    torso = np.clip((1.25 + 0.6 * view.y - np.abs(view.x)) / 0.25, 0, 1)
    ribs = np.cos(view.group.uniform(15, 18) * (view.y + 0.5 * view.x**2)) * (np.abs(view.x) > 0.1)
    heart = view.ellipse(0.22, 0.14, 0.3, group.uniform(0.26, 0.4), edge=0.1, tilt=0.5)
    spine = np.clip((group.uniform(0.14, 0.2) - np.abs(view.x)) / 0.08, 0, 1)
    lung_density = group.uniform(0.16, 0.3)
    grey = torso * (0.55 + 0.05 * ribs) * (1 - lungs) + lungs * (lung_density + 0.05 * (ribs > 0))
    grey = grey + np.maximum(heart, spine) * (0.78 - grey) * 0.8
    return grey + lungs * (1 - heart) * _chest_disease(view, label_name)


def _chest_disease(view: View, label_name: str) -> np.ndarray:
    """What the disease adds to the lungs (H, W)."""
    group, severity = view.group, view.group.uniform(0.75, 1)
    side, height = group.choice([-1, 1]), group.uniform(-0.4, 0.2)
    vessels = 0.03 * view.field(view.image, cycles=5)
    haze = view.ellipse(height, 0.42 * side, 0.3, 0.3, edge=0.3) * group.uniform(0, 0.12)
    if label_name == "consolidation":
        patch = view.ellipse(height, 0.42 * side, 0.42, 0.36, edge=0.25, lobes=0.12)
        return vessels + severity * patch * (0.36 + 0.16 * view.waves(10, 1.57 + group.normal(0, 0.2)))
    if label_name == "nodules":
        centres = group.uniform((-0.55, 0.25), (0.3, 0.6), (12, 2)) * group.choice([(1, -1), (1, 1)], 12)
        return vessels + haze + 0.55 * severity * view.spots(centres, group.uniform(0.09, 0.11))
    if label_name == "interstitial":
        lines = view.waves(10, 0.8 + group.normal(0, 0.1)) + view.waves(10, -0.8 + group.normal(0, 0.1))
        return vessels + haze + severity * (0.06 + 0.16 * lines) * np.clip(0.9 + 0.6 * view.y, 0, 1)
    return vessels + haze


def draw_skin(view: View, label_name: str) -> np.ndarray:
    """Dermatoscopy (H, W, 3): a pigmented lesion on skin, sometimes under hairs."""
    group, image = view.group, view.image
    outline = {"nevus": (0.52, 0.95, 0.02), "melanoma": (0.72, 0.85, 0.13), "keratosis": (0.78, 0.58, 0.03)}
    size, aspect, lobes = outline.get(label_name, (0.5, 0.85, 0.04))
    size, aspect = size * group.uniform(0.88, 1.15), aspect * group.uniform(0.9, 1.1)
    centre, tilt = group.uniform(-0.12, 0.12, 2), group.normal(0.6, 0.25)
    lesion = view.ellipse(*centre, size, size * aspect, group.uniform(0.06, 0.2), tilt, lobes)
    lesion = lesion * group.uniform(0.7, 1)
    skin = np.array([0.86, 0.66, 0.56]) + group.uniform(-0.08, 0.06) + group.normal(0, 0.02, 3)
    pigment = np.array([0.48, 0.29, 0.2]) + group.uniform(-0.08, 0.08) + group.normal(0, 0.03, 3)
    if label_name == "vascular":
        pigment = pigment + np.array([0.2, -0.06, 0.02])
    colour = skin + lesion[..., None] * (pigment - skin)
    shade = lesion * _skin_pattern(view, label_name, centre, tilt) + 0.02 * view.field(group)
    colour = colour + shade[..., None] * np.array([1.0, 0.85, 0.75])
    if group.uniform() < 0.25:
        for _ in range(image.integers(1, 4)):
            offset, angle = image.uniform(-0.8, 0.8), image.uniform(0, 3.1)
            across = view.x * np.cos(angle) + view.y * np.sin(angle) + 0.2 * view.x * view.y - offset
            colour = colour * (1 - 0.6 * np.clip(1.5 - np.abs(across) / 0.02, 0, 1)[..., None])
    return colour


def _skin_pattern(view: View, label_name: str, centre, tilt) -> np.ndarray:
    """Light and dark structure inside the lesion (H, W)."""
    strength = view.group.uniform(0.16, 0.22)
    if label_name == "melanoma":
        blotch = 0.1 * view.field(view.group, cycles=3)
        return strength * view.waves(10, tilt, bend=0.12) + blotch
    if label_name == "keratosis":
        return 1.7 * strength * view.cells(12, tilt)
    if label_name == "vascular":
        centres = np.array(centre) + view.group.normal(0, 0.2, (7, 2))
        return -1.5 * strength * view.spots(centres, 0.12)
    return strength * 0.5 * (view.waves(8, tilt + 0.8, bend=0.04) + view.waves(8, tilt - 0.8, bend=0.04))


def draw_ct(view: View, label_name: str) -> np.ndarray:
    """Axial chest CT (H, W): body, two lungs, heart, spine and ribs, and the disease inside the lungs."""
    group = view.group
    tall, wide = group.uniform((0.76, 0.9), (0.88, 0.98))
    body = view.ellipse(0, 0, tall, wide, edge=0.05)
    muscle = view.ellipse(0, 0, tall - group.uniform(0.05, 0.12), wide - group.uniform(0.05, 0.12), edge=0.04)
    scale = 1.12 if label_name == "emphysema" else 1.0
    height, width = scale * group.uniform(0.5, 0.58), scale * group.uniform(0.31, 0.35)
    lungs = sum(view.ellipse(-0.02, 0.42 * side, height, width, tilt=-0.2 * side) for side in (-1, 1))
    lungs = np.minimum(lungs, 1) * muscle
    heart = view.ellipse(-0.12, 0.1, group.uniform(0.2, 0.27), group.uniform(0.2, 0.28))
    spine = view.ellipse(0.42, 0, 0.13, 0.12) + 0.6 * view.ellipse(0.58, 0, 0.1, 0.05)
    density = group.uniform(0.2, 0.3)
    grey = 0.36 * body + 0.2 * muscle
    grey = grey + lungs * (density - grey + _ct_disease(view, label_name))
    return grey + heart * (0.62 - grey) + np.minimum(spine, 1) * (0.88 - grey)


def _ct_disease(view: View, label_name: str) -> np.ndarray:
    """What the disease adds to the lungs (H, W)."""
    group, strength = view.group, view.group.uniform(0.7, 1)
    angle, side = group.normal(0.5, 0.2), group.choice([-1, 1])
    vessels = 0.14 * view.spots(view.image.uniform((-0.35, -0.6), (0.3, 0.6), (9, 2)), 0.045)
    haze = group.uniform(0, 0.12) * view.ellipse(group.uniform(-0.2, 0.2), 0.4 * side, 0.25, 0.25, edge=0.3)
    if label_name == "emphysema":
        return vessels + haze + strength * (0.03 - 0.26 * view.cells(13, angle))
    if label_name == "ground_glass":
        patch = view.ellipse(group.uniform(-0.2, 0.2), 0.4 * side, 0.5, 0.4, edge=0.2, lobes=0.12)
        return vessels + strength * patch * (0.3 + 0.18 * view.waves(10, angle))
    if label_name == "honeycombing":
        rim = np.clip(0.4 + 1.6 * view.y + 0.6 * np.abs(view.x), 0, 1)
        return vessels + haze + 0.85 * strength * rim * (0.5 - np.abs(view.cells(10, angle)))
    return vessels + haze


def draw_echo(view: View, label_name: str) -> np.ndarray:
    """Four-chamber echocardiogram (H, W): a fan of speckle with dark chambers; a defect opens the septum."""
    group, image = view.group, view.image
    defect = label_name == "defect"
    severity = group.uniform(0.5, 1) if defect else 0.0
    depth = np.hypot(view.y + 1.05, view.x)
    fan = np.clip((group.uniform(0.68, 0.78) - np.abs(np.arctan2(view.x, view.y + 1.05))) / 0.03, 0, 1)
    fan = fan * np.clip((1.95 - depth) / 0.04, 0, 1)
    centre, tilt = group.uniform(-0.1, 0.1), group.uniform(-0.25, 0.25)
    tall, wide = group.uniform((0.3, 0.17), (0.38, 0.22))
    unequal = 1 + 0.35 * severity * group.uniform(0.5, 1) + group.normal(0, 0.06)
    chambers = [
        view.ellipse(-0.15, centre - 0.24, tall, wide / np.sqrt(unequal), tilt=tilt + 0.15),
        view.ellipse(-0.15, centre + 0.24, tall, wide * unequal, tilt=tilt - 0.15),
        view.ellipse(0.45, centre - 0.23, 0.2, 0.2, tilt=tilt),
        view.ellipse(0.45, centre + 0.23, 0.2, 0.2, tilt=tilt),
    ]
    gap = view.ellipse(group.uniform(-0.1, 0.1), centre, 0.05 + 0.12 * severity, 0.2) * severity
    blood = np.clip(sum(chambers) + gap, 0, 1)
    muscle = view.ellipse(0.1, centre, 0.75, 0.62, edge=0.15, tilt=tilt)
    fibres = view.waves(9 if defect else 7, tilt + (1.2 if defect else 0.2), bend=0.12)
    tissue = 0.22 + group.uniform(0.2, 0.32) * muscle * (1 + 0.25 * fibres)
    speckle = 1 + 0.12 * view.field(image, cycles=14) + 0.1 * view.field(image, cycles=8)
    return fan * (tissue * speckle * (1 - blood) + 0.06 * blood) * (1.15 - 0.25 * depth)


@dataclass(frozen=True)
class Modality:
    """How one kind of picture is drawn, its class names, and how far it may be turned (radians)."""

    draw: Callable[[View, str], np.ndarray]
    classes: tuple[str, ...]
    channels: int
    turn: float


MODALITIES = {
    "chest": Modality(draw_chest, ("normal", "consolidation", "nodules", "interstitial"), 1, 0.06),
    "skin": Modality(draw_skin, ("nevus", "melanoma", "keratosis", "vascular"), 3, 0.3),
    "ct": Modality(draw_ct, ("normal", "emphysema", "ground_glass", "honeycombing"), 1, 0.06),
    "echo": Modality(draw_echo, ("normal", "defect"), 1, 0.1),
}
