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

    pi: tuple[float, float, float]
    """pi rounded, and twice what is still lacking."""
    far: float
    """From here on angles are reduced by the bits of 1 / pi, since three parts of pi do not suffice."""
    sin: tuple[float, ...]
    """(sin r - r) / r^3 as a polynomial in r^2 on |r| <= pi/2, error relative to sin r."""
    sin_quarter: tuple[float, ...]
    """The same on |r| <= pi/4."""
    cos_quarter: tuple[float, ...]
    """(cos r - 1) / r^2 as a polynomial in r^2 on |r| <= pi/4, error relative to cos r."""

    asin: tuple[float, ...]
    """(asin(s) - s) / s^3 as a polynomial in s^2 up to 1/2, error relative to asin(s)."""
    atan: tuple[float, ...]
    """(atan(t) - t) / t^3 as a polynomial in t^2 up to tan(pi/8), error relative to atan(t)."""
    erfc_top: float
    """From here on erfc rounds to 0."""
    erfc_shift: float
    """Where the variable (x - shift) / (x + shift) of the polynomial is zero."""
    erfc: tuple[float, ...]
    """e^x^2 erfc(x) (x + shift) between 1/2 and top, error relative."""

    @property
    def magic(self) -> float:
        """Adding it leaves a number rounded to an integer in the lowest bits."""
        return 1.5 * 2.0**self.fraction

    @property
    def magic_bits(self) -> int:
        """Its representation."""
        return (self.bias + self.fraction << self.fraction) + (1 << self.fraction - 1)

    @property
    def least(self) -> float:
        """The least positive number."""
        return 2.0 ** (1 - self.bias - self.fraction)

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
    pi=(3.1415927410125732, -8.742277657347586e-08, -3.4302490200117637e-15),
    far=2.0**17,
    # Bound 2^-31.0.
    sin=(-0.1666666716337204, 0.008333350531756878, -0.00019843093468807638, 2.7627056624623947e-06,
         -2.5502986389369653e-08),
    # Bound 2^-32.5.
    sin_quarter=(-0.1666666716337204, 0.008333379402756691, -0.00019853064441122115,
                 2.832501195371151e-06),
    # Bound 2^-33.0.
    cos_quarter=(-0.5, 0.04166664555668831, -0.0013887308305129409, 2.443210905767046e-05),
    # Bound 2^-31.7.
    asin=(0.16666659712791443, 0.07500521838665009, 0.044513385742902756, 0.031838759779930115,
          0.014317560940980911, 0.03769020736217499),
    # Bound 2^-30.4.
    atan=(-0.33333316445350647, 0.19998525083065033, -0.14244304597377777, 0.10598396509885788,
          -0.06087866425514221),
    erfc_top=10.1,
    erfc_shift=3.0,
    # Bound 2^-27.0.
    erfc=(1.0740069150924683, -0.8833944797515869, 0.5902279615402222, -0.310466468334198,
          0.11953332275152206, -0.026834113523364067, -0.001245933584868908, 0.003055010223761201,
          -0.00045398552902042866, -0.00028754567028954625),
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
    pi=(3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33),
    far=2.0**30,
    # Bound 2^-61.5.
    sin=(-0.16666666666666666, 0.008333333333333207, -0.00019841269841212406, 2.7557319211543673e-06,
         -2.505210690096069e-08, 1.6058940779571884e-10, -7.643012455201851e-13,
         2.7213361979280387e-15),
    # Bound 2^-57.9.
    sin_quarter=(-0.1666666666666663, 0.00833333333332184, -0.0001984126982935874,
                 2.7557313538721926e-06, -2.505073445108784e-08, 1.5895439052292465e-10),
    # Bound 2^-53.8.
    cos_quarter=(-0.499999999999994, 0.04166666666648437, -0.001388888887030461, 2.4801578547097384e-05,
                 -2.7555226022315056e-07, 2.0629666253574795e-09),
    # Bound 2^-55.1.
    asin=(0.16666666666665408, 0.07500000000337094, 0.044642856828285435, 0.03038195913805343,
          0.022371758003492854, 0.01735970697297424, 0.013885181981222485, 0.012169908435526977,
          0.006522805275205769, 0.01955014770349031, -0.016273439145164218, 0.03195782209732738),
    # Bound 2^-59.3.
    atan=(-0.3333333333333319, 0.19999999999952187, -0.14285714280054423, 0.11111110776317984,
          -0.0909089755144128, 0.0769205652565154, -0.06663061830584611, 0.05847579722028392,
          -0.050378982801990733, 0.038028536343882494, -0.017867455445025483),
    erfc_top=27.3,
    erfc_shift=3.5,
    # Bound 2^-53.3.
    erfc=(1.08705558926226, -0.9377997245671119, 0.6941136466346571, -0.43525602671689895,
          0.2257386216469201, -0.09231870663816719, 0.026518619890401524, -0.00317705034763453,
          -0.0013053547775486707, 0.0007145317312026445, -4.206165876479096e-05, -7.47773496222165e-05,
          1.8645320369348016e-05, 7.245104931162098e-06, -3.3876717065096676e-06, -7.98546883915076e-07,
          5.443276197750371e-07, 1.1921864428088116e-07, -7.858452015973226e-08,
          -2.4232861023692618e-08, 7.369899826109035e-09, 4.157580312470807e-09),
)  # fmt: skip

# Of the power function, in float64. With s = (m - 1) / (m + 1), sqrt(1/2) <= m <= sqrt(2), and w = s^2 is
# log2(m) = s (C + w (D + w P(w))): C and D in two parts.
LOG2_LEADING = ((2.8853900817779268, 4.0710547481862066e-17), (0.9617966939259756, 5.0577616648125907e-17))
# P. Bound 2^-73.5 relative to log2(m).
LOG2 = (0.5770780163555851, 0.4121985831113457, 0.32059889791277885, 0.2623081986594853,
        0.22195227018119226, 0.19240133190320863, 0.16845126078450143, 0.17281988086192976)  # fmt: skip
# (2^r - 1) / r on |r| <= 1/2, error relative to 2^r. Bound 2^-57.0.
EXP2 = (0.6931471805599453, 0.24022650695910172, 0.055504108664824574, 0.009618129107576995,
        0.0013333558145567144, 0.0001540353047884718, 1.5252734731223655e-05, 1.3215424592457462e-06,
        1.0177664291732094e-07, 7.075574861045741e-09, 4.5170114698464264e-10)  # fmt: skip
# As much as float32 needs: log2(1 + f) / f on sqrt(1/2) <= 1 + f <= sqrt(2), error relative. Bound 2^-34.9.
LOG2_SHORT = (1.4426950408686967, -0.7213475213517848, 0.48089836102476663, -0.3606736721455154,
              0.2885370558624382, -0.2404508010088978, 0.20618689202322762, -0.18040163936350714,
              0.15864643841313006, -0.14165363926810143, 0.14418304241178032, -0.15035544611704477,
              0.08700622776712642)  # fmt: skip
# And (2^r - 1) / r. Bound 2^-34.3.
EXP2_SHORT = (0.6931471807047175, 0.240226510670777, 0.055504103655480606, 0.00961803805398604,
              0.00133339352640295, 0.00015466782817933977, 1.5196150483980857e-05)  # fmt: skip
