"""``fleetcast score``: score the lake's texts, which makes the features of sentiment by that scorer possible."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import Address, AsJson, StorePath


def score(
    scorer: Annotated[
        str, typer.Option(help="lexicon, policy, vader:FILE, loughran_mcdonald:FILE, encoder:FOLDER or onnx:FOLDER.")
    ] = "lexicon",
    store: StorePath = ".fleetcast",
    actors: Annotated[int, typer.Option(min=0, max=10_000, help="Actors on Ray; 0 scores in this process.")] = 0,
    cpus_per_actor: Annotated[int, typer.Option(min=1, max=1_000, help="Processors and threads of an actor.")] = 1,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Score the texts of the lake that have no score yet; stored scores are never replaced."""
    import json
    from datetime import UTC, datetime

    from configs.words import counted
    from features.alternative.text.stored_scores import score_stored
    from features.store.alternative import AlternativeLake
    from features.store.store import Store
    from training.models.encoder.open_scorer import open_scorer, scorer_name

    lake, now = AlternativeLake(Store(store)), datetime.now(UTC)
    name = scorer_name(scorer)
    texts = lake.read_all("text")["text"].tolist()
    if actors:
        from cluster.session import connect
        from training.run.text_scoring import score_on_ray

        with connect(address, None if address else actors * cpus_per_actor):
            count = score_on_ray(lake, scorer, texts, now, actors=actors, cpus_per_actor=cpus_per_actor)
    else:
        count = score_stored(lake, open_scorer(scorer), texts, now)
    if as_json:
        print(json.dumps({"scorer": name, "rows": len(texts), "scored": count}))
        return
    rows, new = counted(len(texts), "row"), counted(count, "text")
    print(f"{name} scored {new} of {rows}: those that had no score, equal ones once.")
    print(f"To use them: --set features.use_sentiment=true --set features.sentiment_scorer={name}")
