"""The protocol: questions, design, texts and analysis rules, fixed before the first rating.

A protocol is pure data and never names a method: methods are opaque identifiers here, whose names
are in the key file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from study.domain.entries import (
    check_types,
)
from study.domain.errors import ProtocolError
from study.domain.formatting import plural
from study.domain.inference import Hypothesis, Random
from study.domain.qualification import (
    MOST_ATTEMPTS,
    KnownAnswer,
    check_known,
    plain_answer,
)
from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.questions import (
    CATALOG,
    PREFERENCE,
    RANKING,
    Question,
    plain_question,
)
from study.domain.reader_texts import ENGLISH, check_texts, reader_texts
from study.domain.terms import UNITS, Shown
from study.domain.windows import Listed, check_windows, plain_window

SCHEMA = 1
WASHOUT_DAYS = 28.0
"""Between the sessions of a crossover (FDA: four weeks)."""
MOST_REPEATS, MOST_WASHOUT = 500, 365
INSTRUCTIONS = (
    "You will see pairs of images of the same anatomy. Rate each image on its own, then say which "
    "one you prefer. Images may be windowed, enlarged and moved; both move together."
)
SINGLE_INSTRUCTIONS = (
    "You will see one image at a time. Rate each image on its own. Images may be windowed, "
    "enlarged and moved."
)
RANKING_INSTRUCTIONS = (
    "You will see several images of the same anatomy. Give each one a rank: 1 is the best. Images "
    "may be windowed, enlarged and moved; all move together."
)
CONSENT = (
    "Your ratings are stored under your reader code, without your name, for the purpose of this "
    "study. You may stop at any time and withdraw; after a withdrawal your ratings are left out of "
    "every analysis."
)


@dataclass(frozen=True)
class RepeatSession:
    """A session of repeats that an amendment adds after all others.

    Parameters
    ----------
    repeats : int
        Number of main pairs that each reader reads once more.
    washout_days : float
        From the end of the session before.
    """

    repeats: int
    washout_days: float

    def __post_init__(self) -> None:
        check_types(self)
        if not 1 <= self.repeats <= MOST_REPEATS:
            raise ProtocolError(
                f"A repeat session has 1 to {MOST_REPEATS} repeats, not {self.repeats}."
            )
        if not 0 <= self.washout_days <= MOST_WASHOUT:
            raise ProtocolError(
                f"The washout before a repeat session is 0 to {MOST_WASHOUT} days, not "
                f"{self.washout_days:g}."
            )

    @property
    def words(self) -> str:
        """The session in words."""
        return (
            f"{plural(self.repeats, 'repeat')}, at least {self.washout_days:g} days after the "
            "session before"
        )


@dataclass(frozen=True)
class Protocol:
    """All settings of a study that are fixed when it is frozen.

    Parameters
    ----------
    title, instructions, consent : str
        Texts that readers see; they must not name a method.
    questions : tuple of Question
        Criteria, then at most one preference.
    pairs : tuple of (str, str)
        Method identifiers that are compared; empty means every pair of methods.
    control : str
        Method identifier that all others are compared with, where `pairs` is empty; empty means
        all pairs.
    readers : int
        Number of readers; each has a different plan.
    training, dummies, repeats, nulls : int
        Number of pairs of each role for each reader; single images and rankings have no nulls.
    repeat_distance : int
        Least number of pairs between a pair and its repeat; 0 means max(20, a quarter of the
        main pairs) where possible.
    washout_days : float
        0 keeps repeats in the main session; otherwise they are in a second one, which opens this
        many days after the first has ended.
    feedback : bool
        Whether readers learn after a training pair what it showed.
    ask_blinding : bool
        Whether readers are asked at the end how they think some images were made.
    blinding_groups : tuple of str
        The possible answers; the group of each method is in the key file.
    break_minutes : float
        Time after which a break is suggested.
    seconds_per_pair : float
        Used to estimate the workload.
    least_width, least_height : int
        Smallest window for reading, in CSS pixels.
    kappa_rule : str
        "first": the first main rating of each reader, case and method counts.
    alpha : float
        Significance level of the family of comparisons.
    random : Random
        What p values and intervals take as random: readers, cases (by patient), or both.
    primary_pair : tuple of str
        Two method identifiers: the primary comparison, on the question marked as primary. Empty
        means the only pair, or none where there are several.
    hypothesis : Hypothesis
        What that comparison is to show about its first method against the second.
    margin : float
        Margin of non-inferiority or equivalence: points of the scale, or for a preference the
        distance of the share of wins from one half.
    language : str
        Of the readers' pages, as a BCP 47 code; English and German are shipped.
    texts : mapping
        Texts of the readers' pages that replace those of the language, by name.
    presentation : Shown
        Pairs; single images: every image of every method alone; or rankings: the images of all
        methods together. What is said of pairs holds for single images or rankings then; the
        methods are compared in the same pairs.
    crossover : bool
        Of single images: whether each method is read in a session by itself, `washout_days` apart,
        in an order from a Williams square. Every session begins with `dummies`, and `repeats` are
        spread over the sessions.
    block : int
        Methods besides the control that each reader reads of a case, in incomplete blocks that
        rotate over cases and readers; 0 means all. The control is the anchor: it is always read.
    qualification : tuple of KnownAnswer
        Right answers about training cases, which are then kept for the qualification: whoever
        gives too few of them does not read the study. Empty: there is no qualification.
    pass_mark : float
        Share of right answers that qualifies, above 0 and at most 1.
    attempts : int
        How often a reader may try to qualify; a coordinator may allow more.
    show_original : bool
        Of pairs and single images: whether the unenhanced image is shown beside them, labelled as
        what it is. It is not rated.
    windows : tuple of str or DisplayWindow
        The display windows that readers choose among, the first at first: names of
        `study.domain.windows` or windows of the study's own. Empty: full range, automatic, and the
        usual ones of the modality.
    repeat_sessions : tuple of RepeatSession
        What amendments have added, in order; empty at the freeze.
    """

    title: str = "Reader study"
    instructions: str = INSTRUCTIONS
    consent: str = CONSENT
    questions: tuple[Question, ...] = (*CATALOG[:2], PREFERENCE)
    pairs: tuple[tuple[str, str], ...] = ()
    control: str = ""
    readers: int = 5
    training: int = 3
    dummies: int = 5
    repeats: int = 10
    nulls: int = 3
    repeat_distance: int = 0
    washout_days: float = 0.0
    feedback: bool = True
    ask_blinding: bool = True
    blinding_groups: tuple[str, ...] = ("not processed", "filter", "neural network")
    break_minutes: float = 30.0
    seconds_per_pair: float = 25.0
    least_width: int = 1000
    least_height: int = 540
    kappa_rule: str = "first"
    alpha: float = 0.05
    randomise_sides: bool = True
    randomise_order: bool = True
    demo: bool = False
    notes: str = field(default="")
    language: str = ENGLISH
    texts: Mapping[str, str] = field(default_factory=dict)
    random: Random = Random.BOTH
    primary_pair: tuple[str, ...] = ()
    hypothesis: Hypothesis = Hypothesis.DIFFERENCE
    margin: float = 0.0
    presentation: Shown = Shown.PAIR
    crossover: bool = False
    block: int = 0
    qualification: tuple[KnownAnswer, ...] = ()
    pass_mark: float = 0.8
    attempts: int = 1
    show_original: bool = False
    windows: tuple[Listed, ...] = ()
    repeat_sessions: tuple[RepeatSession, ...] = ()

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("title", "instructions", "consent"):
            if not getattr(self, name).strip():
                raise ProtocolError(f"The {name} is empty: readers need it.")
        codes = [question.code for question in self.questions]
        if not codes or len(set(codes)) != len(codes):
            raise ProtocolError(f"Questions need different codes and at least one: {codes}.")
        if sum(question.of_pair for question in self.questions) > 1:
            raise ProtocolError(
                "One preference question, or one comparison, is enough: remove the others."
            )
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ProtocolError(f"{name}={value} is outside {low:g} to {high:g}.")
        if self.ask_blinding and len(set(self.blinding_groups)) < 2:
            raise ProtocolError("Asking how images were made needs at least 2 blinding_groups.")
        check_texts(self.language, self.texts)
        check_windows(self.windows)
        self._check_presentation()
        self._check_primary()
        check_known(self.qualification, self.questions)
        if self.kappa_rule != "first":
            raise ProtocolError(f"kappa_rule={self.kappa_rule!r} is unknown; use first.")

    def _check_presentation(self) -> None:
        """Raise ProtocolError for what single images or rankings cannot have."""
        for question in self.questions:
            if question.ranks != self.ranking:
                wanted = "a ranking" if question.ranks else "no ranking"
                raise ProtocolError(
                    f"The question {question.code} is {wanted}, but the presentation is "
                    f"{self.presentation}: ranking questions are asked in rankings, and no others "
                    "there. Change one of the two."
                )
            if question.of_pair and not self.paired:
                raise ProtocolError(
                    f"The question {question.code} compares the images of a pair: remove it, or "
                    "present pairs."
                )
        if len({question.maximum for question in self.questions if question.ranks}) > 1:
            raise ProtocolError(
                "The ranking questions rank different numbers of images: give all the same maximum."
            )
        if self.crossover and not (self.single and self.washout_days):
            raise ProtocolError(
                "A crossover reads single images, one method in each session, with a washout "
                f"between sessions: set presentation to single and washout_days, such as "
                f"{WASHOUT_DAYS:g}."
            )
        if self.block and (self.pairs or self.crossover):
            raise ProtocolError(
                f"block={self.block} needs a control, and neither listed pairs nor a crossover: "
                "remove these, or set block to 0."
            )
        if self.block and self.ranking and self.images != self.block + 1:
            raise ProtocolError(
                f"Rankings of {self.images} images show the control and {self.images - 1} others: "
                f"set block to {self.images - 1}, or maximum={self.block + 1}."
            )
        if self.repeat_sessions and self.crossover:
            raise ProtocolError(
                "A crossover has its repeats in the session of their method: leave out "
                "repeat_sessions."
            )
        if self.show_original and self.ranking:
            raise ProtocolError(
                "show_original is for pairs and single images: set it to false, or present those."
            )
        if self.nulls and not self.paired:
            raise ProtocolError(
                f"nulls={self.nulls}, but only pairs can show one image twice: set nulls to 0."
            )

    @property
    def single(self) -> bool:
        """Whether every image is shown alone."""
        return self.presentation is Shown.SINGLE

    @property
    def ranking(self) -> bool:
        """Whether the images of several methods are ranked."""
        return self.presentation is Shown.RANKING

    @property
    def paired(self) -> bool:
        """Whether two images are shown side by side."""
        return self.presentation is Shown.PAIR

    @property
    def unit(self) -> str:
        """What is shown at a time: a pair, an image, or a ranking."""
        return UNITS[self.presentation]

    @property
    def images(self) -> int:
        """Number of images that are shown at a time."""
        return self.questions[0].maximum if self.ranking else 1 if self.single else 2

    @property
    def qualifying(self) -> frozenset[str]:
        """Identifiers of the cases of the qualification."""
        return frozenset(one.case for one in self.qualification)

    @property
    def later_repeats(self) -> bool:
        """Whether repeats are in a session of their own, after a washout."""
        return self.washout_days > 0 and not self.crossover

    @property
    def planned_sessions(self) -> int:
        """Number of the last session that the freeze has planned, where there is no crossover."""
        return 2 if self.later_repeats and self.repeats else 1

    def washout_before(self, session: int) -> float:
        """Days between the end of the session before and the opening of this one."""
        added = session - self.planned_sessions
        if self.crossover or not 1 <= added <= len(self.repeat_sessions):
            return self.washout_days
        return self.repeat_sessions[added - 1].washout_days

    def slots(self, question: Question) -> tuple[int, ...]:
        """The slots that a question is answered for in each presentation."""
        return question.slots if question.of_pair else IMAGE_SLOTS[: self.images]

    def _check_primary(self) -> None:
        """Raise ProtocolError where the primary comparison is not complete."""
        if self.primary_pair and len(set(self.primary_pair)) != 2:
            raise ProtocolError(
                f"The primary comparison {', '.join(self.primary_pair)} needs two methods."
            )
        question = self.primary_question
        if self.primary_pair and question is None:
            raise ProtocolError("A primary comparison needs a question that is marked as primary.")
        if self.hypothesis is Hypothesis.DIFFERENCE:
            if self.margin:
                raise ProtocolError(
                    f"margin={self.margin:g} is for non-inferiority and equivalence: give the "
                    "hypothesis too, or margin 0."
                )
            return
        most = 0.5 if question is None else question.largest_margin
        if not 0 < self.margin < most:
            raise ProtocolError(
                f"{self.hypothesis.capitalize()} needs a margin above 0 and below {most:g}, not "
                f"{self.margin:g}: in points of the scale, or for a preference the distance of the "
                "share of wins from one half."
            )

    @property
    def primary_question(self) -> Question | None:
        """The first question that is marked as primary, or the only one."""
        marked = [question for question in self.questions if question.primary]
        return next(iter(marked or (self.questions if len(self.questions) == 1 else ())), None)

    def question(self, code: str) -> Question:
        """The question with this code; ProtocolError where there is none."""
        for question in self.questions:
            if question.code == code:
                return question
        raise ProtocolError(f"No question {code!r} in this study.")

    def to_json(self) -> str:
        """Canonical JSON: the same protocol gives the same bytes.

        What was added later is left out at its default: the digest of an older study stays.
        """
        plain = asdict(self)
        plain["questions"] = tuple(plain_question(one) for one in plain["questions"])
        plain["qualification"] = tuple(plain_answer(one) for one in self.qualification)
        plain["windows"] = tuple(plain_window(one) for one in self.windows)
        kept = {name: value for name, value in plain.items() if _ADDED.get(name, ...) != value}
        return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def reader_texts(self) -> dict[str, str]:
        """All texts of the readers' pages, by name."""
        return reader_texts(self.language, self.texts, self.presentation)

    @property
    def digest(self) -> str:
        """SHA-256 of `to_json`, as hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def with_(self, **changes: Any) -> Protocol:
        """A copy with some fields changed."""
        return replace(self, **changes)


_ADDED: dict[str, Any] = {
    "language": ENGLISH, "texts": {}, "random": Random.BOTH, "primary_pair": (),
    "hypothesis": Hypothesis.DIFFERENCE, "margin": 0.0, "presentation": Shown.PAIR,
    "crossover": False, "block": 0, "qualification": (), "pass_mark": 0.8, "attempts": 1,
    "show_original": False, "windows": (), "repeat_sessions": (),
}  # fmt: skip
SINGLE_DEFAULTS: dict[str, Any] = {
    "instructions": SINGLE_INSTRUCTIONS, "questions": CATALOG[:2], "nulls": 0,
}  # fmt: skip
"""What a protocol with single images has where it says nothing else."""
RANKING_DEFAULTS: dict[str, Any] = {
    "instructions": RANKING_INSTRUCTIONS, "questions": (RANKING,), "nulls": 0,
}  # fmt: skip
"""What a protocol with rankings has where it says nothing else."""
DEFAULTS = {Shown.SINGLE: SINGLE_DEFAULTS, Shown.RANKING: RANKING_DEFAULTS}
_RANGES = (
    ("readers", 1, 200), ("training", 0, 50), ("dummies", 0, 50), ("repeats", 0, MOST_REPEATS),
    ("nulls", 0, 200), ("repeat_distance", 0, 1000), ("washout_days", 0, MOST_WASHOUT),
    ("break_minutes", 1, 240), ("seconds_per_pair", 1, 3600), ("least_width", 320, 10000),
    ("least_height", 240, 10000), ("alpha", 0.0001, 0.5), ("margin", 0, 1e9),
    ("block", 0, 20), ("pass_mark", 0.01, 1), ("attempts", 1, MOST_ATTEMPTS),
)  # fmt: skip
