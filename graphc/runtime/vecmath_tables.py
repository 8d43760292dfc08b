"""Constants of the vector functions in either precision.

The polynomials are minimax approximations in the sense of the error named beside each, found by the exchange
algorithm of Remez in 60 digits; the coefficients were rounded one after another from the lowest, each time
refitting those that remain. "Bound" is the error of the rounded polynomial itself, evaluated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A binary format and the polynomials fitted to it, coefficients from the constant term on."""

    fraction: int
    """Bits of the fraction: the exponent field starts there."""
    bias: int
    """Bias of the exponent field."""
    ln2_high: float
    """ln 2 rounded, and below what it lacks."""
    ln2_low: float
    exp_range: tuple[float, float]
    """Beyond these arguments exp underflows to 0 and overflows to infinity."""
    tiny: float
    """Below it x stands for expm1(x) and log1p(x)."""
    tanh_top: float
    """From here on tanh rounds to 1."""
    exp: tuple[float, ...]
    """(e^r - 1 - r) / r^2 on |r| <= ln(2)/2, error relative to e^r - 1."""
    log: tuple[float, ...]
    """(ln(1 + f) - f) / f^2 on sqrt(1/2) <= 1 + f <= sqrt(2), error relative to ln(1 + f)."""
    erf_split: float
    """Where erf passes from the one polynomial to the other."""
    erf_top: float
    """From here on erf rounds to 1."""
    erf: tuple[float, ...]
    """erf(x)/x - 1 as a polynomial in x^2 below the split, error relative to erf(x)."""
    log_erfc: tuple[float, ...]
    """ln(1 - erf(x)) between split and top, error of 1 - exp(...) relative to erf(x)."""

    @property
    def magic(self) -> float:
        """Adding it leaves a number rounded to an integer in the lowest bits."""
        return 1.5 * 2.0**self.fraction

    @property
    def magic_bits(self) -> int:
        """Its representation."""
        return (self.bias + self.fraction << self.fraction) + (1 << self.fraction - 1)

    @property
    def least_normal(self) -> float:
        """The least positive number of full precision."""
        return 2.0 ** (1 - self.bias)


FLOAT32 = Precision(
    fraction=23,
    bias=127,
    ln2_high=float.fromhex("0x1.62e430p-1"),
    ln2_low=float.fromhex("-0x1.05c610p-29"),
    exp_range=(-104.0, 89.0),
    tiny=2.0**-25,
    tanh_top=9.1,
    # Bound 2^-31.0.
    exp=(0.5, 0.1666666567325592, 0.04166646674275398, 0.008333643898367882, 0.0013935036258772016,
         0.00019662441627588123),
    # Bound 2^-29.2.
    log=(-0.5, 0.3333331346511841, -0.2500016689300537, 0.20002223551273346, -0.16659370064735413,
         0.14209580421447754, -0.12549670040607452, 0.12108656764030457, -0.10916287451982498,
         0.05339109152555466),
    erf_split=0.92,
    erf_top=3.95,
    # Bound 2^-30.0 up to 0.95.
    erf=(0.12837916612625122, -0.3761262893676758, 0.11283625662326813, -0.026855740696191788,
         0.0051924604922533035, -0.0008050803444348276, 8.002768299775198e-05),
    # Bound 2^-29.1 from 0.9.
    log_erfc=(-0.00016644778952468187, -1.127797245979309, -0.6369760632514954, -0.10411371290683746,
              0.022315237671136856, -0.003065497847273946, 0.00019822038302663714),
)  # fmt: skip

FLOAT64 = Precision(
    fraction=52,
    bias=1023,
    ln2_high=float.fromhex("0x1.62e42fefa39efp-1"),
    ln2_low=float.fromhex("0x1.abc9e3b39803fp-56"),
    exp_range=(-746.0, 710.0),
    tiny=2.0**-54,
    tanh_top=19.1,
    # Bound 2^-57.6.
    exp=(0.5000000000000001, 0.1666666666666667, 0.04166666666664874, 0.00833333333332847,
         0.0013888888897606744, 0.00019841269865836074, 2.4801570068683948e-05, 2.7557266061820607e-06,
         2.7572076153617185e-07, 2.510119374851406e-08, 1.6330230465491625e-09),
    # Bound 2^-58.4.
    log=(-0.5, 0.3333333333333335, -0.2500000000000037, 0.19999999999993046, -0.16666666666546953,
         0.14285714286709153, -0.12500000014647714, 0.11111111049217325, -0.09999999082652564,
         0.09090910928079217, -0.0833336685296605, 0.0769228959230251, -0.07142102637428593,
         0.06666242123413774, -0.06260417663997693, 0.05898092212234895, -0.05474458742376904,
         0.050561032375374085, -0.05248079696601207, 0.06002061336935596, -0.051894592845573746,
         0.02091995043225682),
    erf_split=1.0,
    erf_top=5.95,
    # Bound 2^-56.1 up to 1.02.
    erf=(0.1283791670955126, -0.37612638903184087, 0.1128379167097003, -0.026866170647708066,
         0.00522397764835589, -0.000854832822202832, 0.00012055372599895462, -1.4926508400151192e-05,
         1.6474412438063003e-06, -1.6480478967258117e-07, 1.546121508842462e-08, -1.420849756574846e-09,
         1.0347960598926482e-10),
    # Bound 2^-56.0 from 0.98.
    log_erfc=(-4.386849812590081e-07, -1.1283746898050537, -0.6366410199720325, -0.10271042590355074,
              0.0190030998128566, 0.00039312225252665874, -0.0018979554833862794, 0.0007563266157257725,
              -0.00012611622679542848, -2.4662546894156482e-05, 2.4527735347015678e-05,
              -9.185681791088344e-06, 2.257750563429392e-06, -3.9508711243330064e-07,
              4.926859094719806e-08, -4.190696374527098e-09, 2.1873040338359052e-10,
              -5.295099292750773e-12),
)  # fmt: skip
