"""What the thesis shows, as data: which trainings each table and figure needs.

The thesis gives the cells of its tables (results/published/) and, in captions and text, which network and which values
its figures compare. Where it does not, the choice is ours and said so in `OURS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from data_prep.errors import InputError


class Cell(NamedTuple):
    """A cell of a table: features joined by "+", whether conv1–5 are pretrained, and the model."""

    features: str
    pretrained: bool
    model: str

    @property
    def name(self) -> str:
        return f"{self.features.replace('+', '_')}.{'pretrained' if self.pretrained else 'random'}.{self.model}"

    @property
    def network(self) -> str:
        """Of the catalogue; the current system's own name."""
        if self.model == CURRENT_SYSTEM:
            return CURRENT_SYSTEM
        return f"{self.features.replace('+', '_')}/{self.model}"


class Variant(NamedTuple):
    """A training of a figure that compares some: its name and legend, its network, the solver's fields that differ
    from the profile's (None: cleared), how many are added to the seed, and frames a sequence (None: the network's)."""

    name: str
    legend: str
    network: str
    solver: dict[str, object]
    seed: int = 0
    sequence_length: int | None = None


class Curves(NamedTuple):
    """A figure of learning curves: what it shows of each variant ("balanced_accuracy", on the held-out video, or
    "train_accuracy"), the variants, and its title."""

    shows: str
    variants: tuple[Variant, ...]
    title: str


class Matrix(NamedTuple):
    """A figure that is a confusion matrix: of which cell, summed over the folds."""

    cell: Cell
    title: str


class Profile(NamedTuple):
    """At which size everything is run: the folder of prototxt/ for networks and solver, the solver's file, iterations
    and those between validations (None: the solver's own), and steps that a dry run measures."""

    folder: str
    solver: str
    iterations: int | None
    validate_every: int | None
    measured_steps: int


# Ours: mini's lower rate (at the thesis's 0.01 the small LSTMs all but fail), and 16,000 frames a training.
PROFILES = {
    "full": Profile("", "solver.prototxt", None, None, 3),
    "mini": Profile("mini", "mini/solver_low_rate.prototxt", 250, 25, 10),
}

LSTM = "shape/lstm_after"  # section 5.1 names it "the shape LSTM model"
THESIS = Variant("thesis", "RMSProp, decay 0.92", LSTM, {})  # as the profile's solver says


def _sgd(momentum: float) -> Variant:
    changes = {"type": "SGD", "momentum": momentum, "rms_decay": None}
    return Variant(f"sgd_{momentum}", f"SGD, momentum {momentum}", LSTM, changes)


def _clipping(value: float, legend: str) -> Variant:
    return Variant(f"clip_{value:g}" if value > 0 else "clip_none", legend, LSTM, {"clip_gradients": value})


SOLVERS = (_sgd(0.9), _sgd(0.6), THESIS, Variant("rms_0.8", "RMSProp, decay 0.8", LSTM, {"rms_decay": 0.8}))
RATES = (
    Variant("rate_high", "b = 0.1, γ = 0.01, ε = 0.472 (too large)", LSTM, {"base_lr": 0.1}),
    Variant("rate_0.01", "b = 0.01, γ = 0.01, ε = 0.472 (the thesis's)", LSTM, {"base_lr": 0.01}),
    Variant("rate_0.003", "b = 0.003, γ = 0.01, ε = 0.472", LSTM, {"base_lr": 0.003}),
    Variant("rate_fast_decay", "b = 0.01, γ = 0.1, ε = 0.75", LSTM, {"base_lr": 0.01, "gamma": 0.1, "power": 0.75}),
)
CLIPPINGS = (
    _clipping(10, "clipped at 10 (the thesis's)"),
    _clipping(0.1, "clipped at 0.1 (poorly tuned)"),
    _clipping(-1, "not clipped"),
)
SEEDS = tuple(Variant(f"seed_{n}", f"seed +{n}" if n else "the thesis's seed", LSTM, {}, n) for n in range(5))
LENGTHS = (
    Variant("sequences_2", "2 frames (the thesis's)", LSTM, {}),
    Variant("sequences_10", "10 frames", LSTM, {}, sequence_length=10),
    Variant("sequences_30", "30 frames", LSTM, {}, sequence_length=30),
)
NORMALISATIONS = (
    Variant("lrn", "LRN and dropout", "shape/cnn_lrn", {}),
    Variant("batch_norm", "batch normalisation", "shape/cnn", {}),
)
# Appendix 8.1: on the current system's features, at full size in every profile (vectors are soon read).
FEATURES_LSTM = "current_system/lstm"
APPENDIX = ("figure_24", "figure_25")

CURVES = {
    "figure_7": Curves("balanced_accuracy", NORMALISATIONS, "Shape model: LRN and batch normalisation"),
    "figure_8": Curves("train_accuracy", SOLVERS, "Shape LSTM model: solvers, in training"),
    "figure_9": Curves("balanced_accuracy", SOLVERS, "Shape LSTM model: solvers, in validation"),
    "figure_10": Curves("balanced_accuracy", RATES, "Inverse learning-rate policies"),
    "figure_11": Curves("train_accuracy", CLIPPINGS, "Shape LSTM model: gradient clipping, in training"),
    "figure_12": Curves("balanced_accuracy", CLIPPINGS, "Shape LSTM model: gradient clipping, in validation"),
    "figure_13": Curves("balanced_accuracy", SEEDS, "Shape LSTM model: random initialisations"),
    "figure_24": Curves(
        "balanced_accuracy",
        (Variant("features_lstm", "b = 0.01 (the thesis's)", FEATURES_LSTM, {"base_lr": 0.01}),),
        "LSTM on the current system's features",
    ),
    "figure_25": Curves(
        "balanced_accuracy",
        (Variant("features_lstm_low_rate", "b = 0.0001 (lowered)", FEATURES_LSTM, {"base_lr": 0.0001}),),
        "LSTM on the current system's features, learning rate lowered",
    ),
    # Told in section 5.2.4 and not drawn there.
    "sequence_lengths": Curves("balanced_accuracy", LENGTHS, "Shape LSTM model: frames in a training sequence"),
}
MATRICES = {
    "figure_14": Matrix(Cell("shape", False, "cnn"), "Shape model"),
    "figure_15": Matrix(Cell("shape", True, "cnn"), "Pretrained shape model"),
    "figure_16": Matrix(Cell("shape", True, "cnn"), "Pretrained shape model"),
    "figure_17": Matrix(Cell("shape+motion", True, "cnn"), "Pretrained shape & motion model"),
    "figure_18": Matrix(Cell("shape+position", True, "cnn"), "Pretrained shape & position model"),
    "figure_19": Matrix(Cell("shape+motion+position", True, "cnn"), "Pretrained shape, motion & position model"),
    "figure_20": Matrix(Cell("shape", True, "cnn"), "Pretrained shape model"),
    "figure_21": Matrix(Cell("shape", True, "lstm_after"), "Pretrained shape LSTM model"),
    "figure_22": Matrix(Cell("shape+motion+position", True, "cnn"), "Pretrained shape, motion & position model"),
    "figure_23": Matrix(
        Cell("shape+motion+position", True, "lstm_after"), "Pretrained LSTM shape, motion & position model"
    ),
}
# The system that the thesis compares with (section 3.2): motion features, position features and an SVM-HMM.
CURRENT_SYSTEM = "current_system"
CURRENT = Cell("motion+position", False, CURRENT_SYSTEM)
MATRICES[CURRENT_SYSTEM] = Matrix(CURRENT, "Current system")
ETHOGRAM = "current_system_ethogram"

EXAMPLES = "figure_3"
DRAWINGS = {
    "figure_4": ("shape/cnn", "The shape model"),
    "figure_5": ("shape_motion/cnn", "The shape and motion model"),
    "figure_6": ("shape/lstm_after", "The recurrent (LSTM) model"),
}
TABLES = ("table_5.2.1", "table_5.3")
# Beyond the thesis's tables: what its discussion proposes, and the cell that table 5.3 leaves out.
BEYOND = "table_beyond"
EXTRAS = (
    Cell("shape+motion", False, "rnn_after"),
    Cell("shape+motion", False, "gru_after"),
    Cell("motion+position", False, "lstm_before"),
)
_curves = [name for name in CURVES if name not in APPENDIX]
NAMES = (*TABLES, BEYOND, EXAMPLES, *DRAWINGS, *_curves, *MATRICES, ETHOGRAM, *APPENDIX)

OURS = (
    "Ours, where the thesis's text is silent: one video held out at a time; figure 7 and 10 show balanced validation "
    "accuracy, 8 accuracy in training; figures 7 to 13, 24 and 25 are trained with the first video held out; the "
    "values of figures 10 (all but the thesis's own), 11 to 12 (all but 10) and 25; figure 10's network; five seeds in "
    "figure 13; figure 23 is the LSTM with position after it; confusion matrices are summed over the folds."
)


def chosen(only: str | None) -> list[str]:
    """The names of a list such as "table_5.3,figure_7", in the thesis's order; all of them for None.

    Raises InputError for a name that is not there.
    """
    if only is None:
        return list(NAMES)
    wanted = [name.strip() for name in only.split(",")]
    for name in wanted:
        if name not in NAMES:
            raise InputError(f"--only {name}: there is no such table or figure; there are {', '.join(NAMES)}")
    return [name for name in NAMES if name in wanted]


def cells_of(names: Iterable[str], published: Iterable[tuple[str, Cell]]) -> list[Cell]:
    """The cells that these tables and figures need, each once; `published` has the tables' cells with their table."""
    names = list(names)
    needed = [cell for table, cell in published if f"table_{table}" in names]
    needed += EXTRAS if BEYOND in names else []
    needed += [CURRENT] if ETHOGRAM in names else []
    needed += [MATRICES[name].cell for name in names if name in MATRICES]
    return list(dict.fromkeys(needed))


def variants_of(names: Iterable[str]) -> list[Variant]:
    """The variants that these figures compare, each once."""
    found = {variant.name: variant for name in names if name in CURVES for variant in CURVES[name].variants}
    return list(found.values())
