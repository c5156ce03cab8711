"""What `study export` and `study predict` say; and their exit statuses."""

from __future__ import annotations

import argparse
import json
from typing import Any

from study.terminal.command_line import DONE, NEGATIVE
from study.terminal.printing import PlainConsole, shell_word
from trainers.printable import counted


def export(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.export import export
    from study.export.card import CARD
    from study.export.other_formats import FILES

    beside = PlainConsole(stderr=True)

    def show(epoch: Any) -> None:
        part, loss = ("training", epoch.train_loss) if epoch.val_loss is None else ("validation", epoch.val_loss)
        beside.say(f"epoch {epoch.epoch}: {part} loss {loss:.4f}, {epoch.seconds:.1f} s")

    how = {name: getattr(options, name) for name in ("trial", "model", "loss", "ensemble", "refit")}
    formats = [name for name in FILES if getattr(options, name)]
    done = export(options.out, options.to, beside.say, show, formats=formats, **how)
    trials = [trial.id for trial in done.choice.trials]
    if options.json:
        print(json.dumps({"to": str(done.to), "trials": trials, "chosen": done.choice.why, "checked": done.checked}))
        return DONE
    console.say(
        f"{', '.join(trials)}: {done.choice.why}.",
        *done.checked,
        f"Model: {done.to}",
        f"Card:  {done.to / CARD} (fill in its licence and its use)",
        f"Next:  study predict {shell_word(str(done.to))} IMAGES --out FOLDER",
    )
    return DONE


def predict(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.predict import predict

    beside = PlainConsole(stderr=True)

    def show(number: int, count: int, place: str) -> None:
        if number in (1, count) or number % 50 == 0:
            beside.say(f"image {number:,} of {count:,}: {place}")

    done = predict(options.model, options.images, options.out, show)
    if options.json:
        print(json.dumps({"out": options.out, "images": done.images, "failed": done.failed}))
    else:
        console.say(f"{counted(len(done.images), 'image')} predicted: {options.out}")
        console.say(*(f"{place} was not: {why}" for place, why in done.failed.items()))
    return NEGATIVE if done.failed else DONE
