"""Run by a Python that has evtx: writes what matters of every event of a log as JSON lines."""

from __future__ import annotations

import json
import sys

from evtx import PyEvtxParser


def main(path: str) -> None:
    for record in PyEvtxParser(path).records_json():
        event = json.loads(record["data"])["Event"]
        system = event["System"]
        provider = system["Provider"]["#attributes"]
        number = system["EventID"]
        data = (event.get("EventData") or {}).get("Data")
        texts = data.get("#text", []) if isinstance(data, dict) else data
        line = {
            "record_id": record["event_record_id"],
            "written": record["timestamp"],
            "provider": provider.get("Name", ""),
            "source": provider.get("EventSourceName", ""),
            "event_id": int(number["#text"] if isinstance(number, dict) else number),
            "computer": system["Computer"],
            "data": texts if isinstance(texts, list) else [texts],
        }
        sys.stdout.write(json.dumps(line) + "\n")


main(sys.argv[1])
