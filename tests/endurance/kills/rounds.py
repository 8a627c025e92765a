"""Rounds of kills: work, killed at a random moment, looked at, done again, compared."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core.files import write_json
from tests.endurance.kills.attack import Attack
from tests.endurance.kills.makings import Downloading, Importing, Tuning
from tests.endurance.kills.process import call, load_everything, must
from tests.endurance.kills.trainings import Exporting, Studying, Training
from tests.endurance.results import envelope

FORMAT = "resnet-lab-kills-1"
ATTACKS: dict[str, Attack] = {
    attack.name: attack
    for attack in (Training(), Exporting(), Studying(), Downloading(), Tuning(), Importing())
}
MOST_KILLS_A_ROUND = 3
"""Of one piece of work, before it is let through: a resumed one is killed again."""


@dataclass
class Tally:
    """What came of the kills at one kind of work."""

    attack: str
    kills: int = 0
    too_late: int = 0
    """Beside those: the work had ended before its kill."""
    rounds: int = 0
    unbroken_seconds: float = 0.0
    states: Counter[str] | None = None
    """What stood in the folder after each kill."""

    def to_dict(self) -> dict[str, Any]:
        return vars(self) | {"states": dict(self.states or {})}


class Rounds:
    """All rounds of one attack, in a folder of their own."""

    def __init__(self, attack: Attack, folder: Path, chance: random.Random):
        self.attack, self.folder, self.chance = attack, folder, chance
        self.shared, self.log = folder / "shared", folder / "log"
        self.shared.mkdir(parents=True)
        self.tally = Tally(attack.name, states=Counter())
        must(lambda: attack.prepare(self.shared), self.log)
        self.expected = self._unbroken()
        self.seconds = self.tally.unbroken_seconds
        """How long the work takes, as last seen: kills are aimed within it."""

    def _unbroken(self) -> Any:
        place = self.folder / "unbroken"
        place.mkdir()
        began = time.monotonic()
        must(lambda: self.attack.work(self.shared, place), self.log)
        self.tally.unbroken_seconds = round(time.monotonic() - began, 2)
        found = self._in_child(lambda: self.attack.result(place))
        shutil.rmtree(place)
        return found

    def _in_child(self, ask: Any) -> Any:
        """An answer found in a process of its own, through a file."""
        answer = self.folder / "answer.json"
        must(lambda: answer.write_text(json.dumps(ask())) and 0, self.log)
        return json.loads(answer.read_text())

    def one_round(self, most_kills: int) -> None:
        """Kill it one to three times, then let it through; the result must be the unbroken one's."""
        place = self.folder / f"round-{self.tally.rounds}"
        place.mkdir()
        for _ in range(min(most_kills, self.chance.randint(1, MOST_KILLS_A_ROUND))):
            moment = self.chance.uniform(0, self.seconds)
            began = time.monotonic()
            status = call(lambda: self.attack.work(self.shared, place), self.log, moment)
            self.attack.end_all(place)
            assert status in (0, -9), self.log.read_text(errors="replace")[-3000:]
            if status == 0:
                self.tally.too_late += 1
                self.seconds = time.monotonic() - began
                break
            self.tally.kills += 1
            state = self._in_child(lambda: self.attack.check(place))
            assert self.tally.states is not None
            self.tally.states[state] += 1
        began = time.monotonic()
        must(lambda: self.attack.work(self.shared, place), self.log)
        self.seconds = max(self.seconds, time.monotonic() - began)
        found = self._in_child(lambda: self.attack.result(place))
        assert found == self.expected, f"{place}: {found} instead of {self.expected}"
        self.tally.rounds += 1
        shutil.rmtree(place)


def run(times: int, seed: int, only: tuple[str, ...], folder: Path, out: Path | None) -> None:
    """Kill `times` times in all, the kinds of work in turn. Results are written after each round.

    Raises:
        AssertionError: something was lost, half, false or different; the folder shows it.
    """
    load_everything()
    attacks = [attack for name, attack in ATTACKS.items() if not only or name in only]
    total = sum(attack.share for attack in attacks)
    wanted = {attack.name: max(1, round(times * attack.share / total)) for attack in attacks}
    words = f"python -m tests.endurance kills --times {times} --seed {seed}"
    started: dict[str, Rounds] = {}

    def rest(attack: Attack) -> int:
        return wanted[attack.name] - (
            started[attack.name].tally.kills if attack.name in started else 0
        )

    while any(rest(attack) > 0 for attack in attacks):
        attack = max(attacks, key=lambda attack: rest(attack) / wanted[attack.name])
        if attack.name not in started:
            chance = random.Random(f"{seed} {attack.name}")
            started[attack.name] = Rounds(attack, folder / attack.name, chance)
        started[attack.name].one_round(rest(attack))
        tallies = [rounds.tally for rounds in started.values()]
        found = {"kills": sum(t.kills for t in tallies), "seed": seed}
        if out is not None:
            attacked = {"attacks": [tally.to_dict() for tally in tallies]}
            write_json(out, envelope(FORMAT, words) | found | attacked)
        print(f"{attack.name:10} {started[attack.name].tally.to_dict()}", flush=True)
