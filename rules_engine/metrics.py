"""What the engine counts, for `/metrics`. Labels are store aliases and words of our own, never what came in."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """Prometheus metrics in a registry of one's own, so that two engines in one program do not meet.

    `deliveries` counts answers at the door by what became of the delivery, `duplicates` repeated deliveries, `calls`
    the calls to shops by outcome, `turns` the turns of lanes, `notices` what people were told by outcome. The gauges
    are set when somebody looks: deliveries that wait, the age in seconds of the oldest, seconds since the lane's last
    turn, whether the store is parked, open questions, and open holds by state.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.deliveries = Counter(
            "rules_engine_deliveries",
            "Webhooks by what became of them.",
            ["store", "answer"],
            registry=self.registry,
        )
        self.duplicates = Counter(
            "rules_engine_duplicates", "Webhooks that came before.", ["store"], registry=self.registry
        )
        self.calls = Counter(
            "rules_engine_calls", "Calls to shops by outcome.", ["store", "outcome"], registry=self.registry
        )
        self.notices = Counter(
            "rules_engine_notices", "Notices by target and outcome.", ["target", "outcome"], registry=self.registry
        )
        self.turns = Counter("rules_engine_turns", "Turns of lanes.", ["store"], registry=self.registry)
        self.pending = Gauge(
            "rules_engine_pending_deliveries", "Deliveries that wait for their lane.", ["store"], registry=self.registry
        )
        self.oldest = Gauge(
            "rules_engine_oldest_pending_seconds", "Age of the oldest of them.", ["store"], registry=self.registry
        )
        self.since_turn = Gauge(
            "rules_engine_seconds_since_turn",
            "Seconds since the lane's last turn.",
            ["store"],
            registry=self.registry,
        )
        self.parked = Gauge(
            "rules_engine_parked", "1 while the store waits for an operator.", ["store"], registry=self.registry
        )
        self.questions = Gauge(
            "rules_engine_questions", "Questions that wait for a person.", ["store"], registry=self.registry
        )
        self.holds = Gauge("rules_engine_holds", "Open holds by state.", ["store", "state"], registry=self.registry)
