"""What goes with an exported model for people to read."""

from __future__ import annotations

from leaderboard import text
from leaderboard.citation import citation
from leaderboard.export.files import CONTRACT_FILE, GOLDEN_FILE, MODEL_FILE, NOTICE_FILE
from leaderboard.records import JsonObject

SAFE = str.maketrans({"<": "&lt;", ">": "&gt;", "|": "\\|", "`": "'"})


def model_card(contract: JsonObject, entry: JsonObject | None) -> str:
    """Markdown: what it is, how good it is, what goes in and comes out, how fast it is, how to run it."""
    sections = [f"# {_safe(contract['model']['title'])}", _what(contract, entry)]
    if entry is not None:
        sections += ["## How good it is", _quality(entry)]
    sections += ["## Inputs and output", _inputs(contract), "## How fast it is", _speed(contract)]
    sections += ["## Run it", _example(contract), "## Limits", _limits(entry)]
    return "\n\n".join(sections) + "\n"


def notice(entry: JsonObject | None) -> str:
    """Licence and what must be named."""
    lines = [
        "This model was trained and exported by FastSim Arena, Apache License 2.0",
        "(https://www.apache.org/licenses/LICENSE-2.0). The same licence holds for this folder.",
        "The licence of the data that it was trained on is not changed by it.",
    ]
    if entry is not None:
        lines += ["", f"Data: {entry['dataset']['title']}. {entry['dataset']['provenance']}"]
        lines += [f"Please cite: {citation(entry)}"]
        if "Geant4" in entry["dataset"]["provenance"]:
            lines += [
                "",
                "The data were made with software developed by Members of the Geant4 Collaboration",
                "( http://cern.ch/geant4 ).",
            ]
    return "\n".join(lines) + "\n"


def _what(contract: JsonObject, entry: JsonObject | None) -> str:
    detector = contract["cells"]["detector"]
    title = _safe(detector["title"])
    lines = [f"A generator of {title}, as one program in ONNX (operators of version {contract['opset']})."]
    if entry is not None:
        lines += [
            f"Entry `{entry['id']}` of a leaderboard of FastSim Arena, seed {contract['model']['seed']}; "
            f"{_safe(entry['training']['epochs_label'])}. Model: {_safe(entry['model']['source'])}."
        ]
    return " ".join(lines)


def _quality(entry: JsonObject) -> str:
    rows = [("score", entry["score"], entry["floor"])]
    rows += [
        (text.component_title(name), part, None if part["floor"] is None else {"value": part["floor"], "error": None})
        for name, part in entry["components"].items()
    ]
    lines = ["| lower is better | value ± error | floor |", "|---|---|---|"]
    for title, value, floor in rows:
        lines.append(f"| {_safe(title)} | {text.with_error(value)} | {'–' if floor is None else _floor(floor)} |")
    where = f"{text.count(entry['dataset']['num_events'])} test events of {_safe(entry['dataset']['title'])}"
    return "\n".join(lines) + f"\n\nOn {where}, by the scorecard {entry['scorecard']['name']}."


def _floor(floor: JsonObject) -> str:
    return text.significant(floor["value"]) if floor["error"] is None else text.with_error(floor)


def _inputs(contract: JsonObject) -> str:
    lines = ["| name | shape | unit | trained from … to | |", "|---|---|---|---|---|"]
    for item in contract["inputs"]:
        limits = item.get("range")
        between = "" if limits is None else f"{limits[0]:g} … {limits[1]:g}"
        cells = (f"`{item['name']}`", _shape(item["shape"]), item["unit"], between, _safe(item["meaning"]))
        lines.append(f"| {' | '.join(cells)} |")
    output, latent = contract["output"], contract["latent"]
    lines += ["", f"- Output `{output['name']}`, {_shape(output['shape'])}: {output['quantity']}, {output['unit']}."]
    lines += [f"- Cells: {contract['cells']['order']}."]
    if latent["numbers"]:
        lines += [
            f"- Latent numbers: {latent['numbers']}, {latent['distribution']}, mean {latent['mean']:g}, deviation "
            f"{latent['deviation']:g}, drawn by {latent['drawn_by']}."
        ]
    if contract["fixed"]:
        fixed = ", ".join(f"{name} = {value:g}" for name, value in contract["fixed"].items())
        lines += [f"- Fixed inside: {fixed}."]
    lines += [f"- Afterwards: {contract['thresholds']['to_apply']}."]
    return "\n".join(lines)


def _speed(contract: JsonObject) -> str:
    lines = ["| one thread, CPU time | batch | ms an event | peak memory, MB |", "|---|---|---|---|"]
    names = {"onnx": "ONNX Runtime", "torch": "torch"}
    for row in contract["latency"]:
        time = f"{text.significant(row['median_ms'])} ± {text.significant(row['spread_ms'], 1)}"
        cells = (names[row["runtime"]], str(row["batch"]), time, text.significant(row["peak_memory_mb"]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _example(contract: JsonObject) -> str:
    difference = contract["golden"]["largest_difference"]
    return (
        f"`{GOLDEN_FILE}` holds inputs and what torch gave for them; ONNX Runtime differed by at most "
        f"{difference:.1g} of the largest cell of an event. `{CONTRACT_FILE}` says all of the above to programs.\n\n"
        "```python\n"
        "import numpy, onnxruntime\n\n"
        f'golden = dict(numpy.load("{GOLDEN_FILE}"))\n'
        'expected = golden.pop("response")\n'
        f'session = onnxruntime.InferenceSession("{MODEL_FILE}")\n'
        "(response,) = session.run(None, golden)\n"
        "print(abs(response - expected).max() / expected.max())\n"
        "```"
    )


def _limits(entry: JsonObject | None) -> str:
    lines = ["Outside the ranges above it was never judged. "]
    if entry is not None:
        lines += [f"{_safe(entry['dataset']['provenance'])} "]
    return "".join(lines) + f"Licence: `{NOTICE_FILE}`."


def _shape(shape: list[int | str]) -> str:
    return " × ".join(map(str, shape))


def _safe(words: str) -> str:
    return str(words).translate(SAFE)
