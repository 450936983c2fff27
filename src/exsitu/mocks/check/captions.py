"""What each picture of a mock survey is for, and what a sceptic should look at in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Picture:
    """
    What a picture is for.

    Parameters
    ----------
    title : str
        Its heading.
    look_for : str
        What a sceptic should look at.
    """

    title: str
    look_for: str


PICTURES: Mapping[str, Picture] = MappingProxyType(
    {
        "colour_magnitude": Picture(
            "Colour and magnitude",
            "True distances, with the dust left in. The accreted stars must lie on the blue side of the main sequence "
            "(metal-poor) and have no young blue stars; a gap or a step along a sequence would betray the isochrone "
            "grid.",
        ),
        "toomre_truth": Picture(
            "Toomre diagrams by truth",
            "Measured velocities of stars with radial velocities, as in Fig. 1 of the paper but with errors. In-situ "
            "stars must peak at the local standard of rest with a tail of slow ones; accreted ones spread over the "
            "plane in clumps, some of them inside the dashed edge of the V selection, where no cut in velocity finds "
            "them.",
        ),
        "toomre_selections": Picture(
            "Toomre diagrams of the selections",
            "All stars that V, VM and ZM select, accreted or not (paper, Fig. 2). V must be cut off at the dashed "
            "edge and crowd against it, VM must reach inside it, and ZM, which knows no velocity, must show no edge "
            "at all.",
        ),
        "sky_accreted": Picture(
            "Accreted stars on the sky",
            "The disc must not stand out: accreted stars fill the sky, more of them towards the centre. A streak of "
            "single cells is one stream, or too few particles.",
        ),
        "sky_in_situ": Picture(
            "In-situ stars on the sky",
            "The disc must stand out, with the dust dimming the innermost latitudes. Compare with the accreted stars: "
            "the position on the sky alone does tell the two apart, a little.",
        ),
        "rotation_metallicity": Picture(
            "Rotation and metallicity",
            "In-situ stars must slow down towards low [Fe/H] (disc, heated disc, proto-galaxy) and overlap the "
            "accreted ones below [Fe/H] = -1, or VM would be too pure. Vertical stripes are single particles, whose "
            "stars share their [Fe/H].",
        ),
        "meridian": Picture(
            "Distance from the axis and height",
            "What the survey sees, not the density of stars: both fall away from the Sun at 8.2 kpc, and dust bites "
            "into the plane towards the centre. The in-situ stars must be flat, the accreted ones round.",
        ),
        "debris": Picture(
            "Energy and angular momentum",
            "Both are conserved in the galaxy's potential, so each merger keeps a patch of its own: a radial one is "
            "narrow about zero, a retrograde one lies to the left. In-situ stars hug the edge of circular orbits, and "
            "the heated disc and the stars born in streams of gas reach into the patches, where they are mistaken.",
        ),
        "magnitudes": Picture(
            "Apparent magnitudes",
            "Radial velocities must end before G = 15 (vertical line), while most stars are fainter (paper, Sec. 5.2 "
            "and Fig. 5): a network that sees magnitudes and learns on stars with radial velocities never saw the "
            "others.",
        ),
        "viewpoints": Picture(
            "How the viewpoints differ",
            "Mean radial velocity of in-situ stars around each Sun (circle), and their velocities within 1 kpc of it. "
            "The bar and the arms must give each viewpoint a pattern of its own, or networks would carry over too "
            "easily (paper, Sec. 5.3).",
        ),
    }
)
"""The pictures by the names of their files, in the order of the page."""
