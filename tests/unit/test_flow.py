"""Flow control: places, addresses, limits, late calls. Time is the event loop's."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.engines.base import Traits
from cai.engines.flow import Dispatcher, Floor
from cai.engines.flow.lane import Lane, estimate
from cai.engines.flow.latency import Latency
from cai.engines.flow.rate import Bucket
from cai.engines.flow.window import Window
from cai.errors import RowEngineError, TransientEngineError
from cai.records import Completion, Message, Request, Sampling, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

LATENCY_S = 0.002


def request(text: str = "Hi") -> Request:
    return Request((Message("user", text),), Sampling(10))


class Place:
    """An address that answers after a while, or does as the script of the test says."""

    def __init__(self, name: str = "", script: Callable[[int], object] = lambda n: LATENCY_S):
        self.name = name
        self.script = script
        self.calls = 0
        self.in_flight = self.most = 0
        self.given_up = 0
        self.order: list[str] = []

    async def complete(self, request: Request) -> Completion:
        self.calls += 1
        self.order.append(request.messages[0].content)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            step = self.script(self.calls)
            if isinstance(step, Exception):
                raise step
            assert isinstance(step, float)
            await asyncio.sleep(step)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.in_flight -= 1
        return Completion(self.name, "answered", Usage(5, 5))


def dispatcher(*places: Place, floor: Floor | None = None, **traits: object) -> Dispatcher:
    described = Traits(**traits)  # type: ignore[arg-type]
    return Dispatcher([(place, described) for place in places], floor or Floor(8))


async def test_no_more_calls_are_under_way_than_there_are_places() -> None:
    place = Place()
    line = dispatcher(place, floor=Floor(3))
    await asyncio.gather(*(line.send(request()) for _ in range(20)))
    assert (place.calls, place.most) == (20, 3)


async def test_the_places_open_one_after_the_other() -> None:
    all_there, seen = asyncio.Event(), []

    class Waiting(Place):
        async def complete(self, request: Request) -> Completion:
            self.in_flight += 1
            seen.append(self.in_flight)
            if self.in_flight == 8:
                all_there.set()
            await all_there.wait()
            return Completion("", "answered")

    place = Waiting()
    line = dispatcher(place, floor=Floor(8))
    sent = [asyncio.ensure_future(line.send(request())) for _ in range(8)]
    # One turn of the event loop: all have asked, and no timer can have gone off.
    await asyncio.sleep(0)
    assert seen == [1]
    await asyncio.wait_for(asyncio.gather(*sent), 10)
    assert seen == list(range(1, 9))


async def test_two_models_share_the_places() -> None:
    floor, one, two = Floor(4), Place(), Place()
    lines = [dispatcher(one, floor=floor), dispatcher(two, floor=floor)]
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, one.in_flight + two.in_flight)
            await asyncio.sleep(0)

    watcher = asyncio.ensure_future(watch())
    await asyncio.gather(*(line.send(request()) for _ in range(10) for line in lines))
    watcher.cancel()
    assert (one.calls, two.calls, most, floor.free) == (10, 10, 4, 4)


async def test_calls_go_in_the_order_of_arrival_and_retries_before_them() -> None:
    place = Place()
    line = dispatcher(place, floor=Floor(1))
    sent = [asyncio.ensure_future(line.send(request(f"new {i}"))) for i in range(3)]
    await asyncio.sleep(0)
    sent.append(asyncio.ensure_future(line.send(request("retry"), again=True)))
    await asyncio.gather(*sent)
    assert place.order == ["new 0", "retry", "new 1", "new 2"]


async def test_the_load_is_shared_among_addresses() -> None:
    places = [Place("a"), Place("b"), Place("c", lambda n: 5 * LATENCY_S)]
    line = dispatcher(*places, floor=Floor(6))
    got = await asyncio.gather(*(line.send(request()) for _ in range(60)))
    by_name = Counter(completion.text for completion in got)
    assert by_name["a"] > by_name["c"] > 0
    assert by_name["b"] > by_name["c"]


async def test_an_address_that_is_down_is_left_alone_for_a_while() -> None:
    down = Place("down", lambda n: TransientEngineError("gone", kind="unreachable"))
    line = dispatcher(down, Place("up"), floor=Floor(2))
    answers = 0
    for _ in range(40):
        try:
            answers += (await line.send(request())).text == "up"
        except TransientEngineError:
            continue
    assert down.calls == 3
    assert answers == 37


async def test_a_cancelled_call_gives_its_place_back() -> None:
    floor, place = Floor(2), Place(script=lambda n: 10.0)
    line = dispatcher(place, floor=floor)
    sent = [asyncio.ensure_future(line.send(request())) for _ in range(5)]
    await asyncio.sleep(LATENCY_S)
    for task in sent:
        task.cancel()
    await asyncio.gather(*sent, return_exceptions=True)
    assert (floor.free, place.in_flight, place.given_up) == (2, 0, 2)
    place.script = lambda n: LATENCY_S
    assert (await line.send(request())).outcome == "answered"


async def test_a_call_that_may_not_be_sent_gives_its_place_back() -> None:
    floor, place = Floor(1), Place()
    line = dispatcher(place, floor=floor)

    def refuse() -> None:
        raise RowEngineError("stop")

    with pytest.raises(RowEngineError, match="stop"):
        await line.send(request(), about_to=refuse)
    assert (place.calls, floor.free) == (0, 1)


async def known(line: Dispatcher, calls: int = 20) -> None:
    for _ in range(calls):
        await line.send(request())


async def test_a_late_free_call_is_asked_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.engines.flow.lane._SOONEST_HEDGE_S", 0.02)
    place = Place(script=lambda n: 30.0 if n == 21 else LATENCY_S)
    floor = Floor(4)
    line = dispatcher(place, floor=floor, free=True, timeout_s=60.0)
    await known(line)
    assert (await line.send(request())).outcome == "answered"
    assert (line.hedged, place.calls, place.given_up, floor.free) == (1, 22, 1, 4)


async def test_a_late_paid_call_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.engines.flow.lane._SOONEST_HEDGE_S", 0.005)
    place = Place(script=lambda n: 0.05 if n == 21 else LATENCY_S)
    line = dispatcher(place, free=False, timeout_s=60.0)
    await known(line, 21)
    assert (line.hedged, place.calls) == (0, 21)


async def test_a_first_answer_ends_the_second_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.engines.flow.lane._SOONEST_HEDGE_S", 0.01)
    monkeypatch.setattr("cai.engines.flow.lane._HEDGE_FACTOR", 0.0)
    place = Place(script=lambda n: {21: 0.5, 22: 30.0}.get(n, LATENCY_S))
    floor = Floor(4)
    line = dispatcher(place, floor=floor, free=True, timeout_s=60.0)
    await known(line)
    await line.send(request())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (line.hedged, place.given_up, place.in_flight, floor.free) == (1, 1, 0, 4)


async def test_a_failed_first_attempt_waits_for_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.engines.flow.lane._SOONEST_HEDGE_S", 0.01)
    monkeypatch.setattr("cai.engines.flow.lane._HEDGE_FACTOR", 0.0)
    monkeypatch.setattr("cai.engines.flow.lane._SHORTEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr("cai.engines.flow.lane._TIMEOUT_FACTOR", 0.0)
    place = Place(script=lambda n: {21: 30.0, 22: 30.0}.get(n, LATENCY_S))
    line = dispatcher(place, free=True, timeout_s=60.0)
    await known(line)
    with pytest.raises(TransientEngineError, match="No answer within"):
        # Both are given up: the second gets no more time than the first.
        await line.send(request())
    assert place.given_up == 2


async def test_a_failed_second_attempt_leaves_the_first_its_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cai.engines.flow.lane._SOONEST_HEDGE_S", 0.01)
    monkeypatch.setattr("cai.engines.flow.lane._HEDGE_FACTOR", 0.0)
    monkeypatch.setattr("cai.engines.flow.lane._SHORTEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr("cai.engines.flow.lane._TIMEOUT_FACTOR", 0.0)
    busy = TransientEngineError("busy", kind="busy")
    place = Place(script=lambda n: {21: 30.0, 22: busy}.get(n, LATENCY_S))
    line = dispatcher(place, free=True, timeout_s=60.0)
    await known(line)
    with pytest.raises(TransientEngineError, match="No answer within"):
        await asyncio.wait_for(line.send(request()), 5.0)
    assert (line.hedged, place.given_up) == (1, 1)


async def test_second_attempts_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.engines.flow.lane._SOONEST_HEDGE_S", 0.001)
    monkeypatch.setattr("cai.engines.flow.lane._HEDGE_FACTOR", 0.1)
    place = Place(script=lambda n: 0.01)
    line = dispatcher(place, free=True, timeout_s=60.0)
    await known(line, 60)
    assert 0 < line.hedged <= 2 + 0.05 * 60


async def test_a_time_out_follows_what_calls_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.engines.flow.lane._SHORTEST_TIMEOUT_S", 0.2)
    monkeypatch.setattr("cai.engines.flow.lane._TIMEOUT_FACTOR", 0.0)
    place = Place(script=lambda n: 30.0 if n == 21 else LATENCY_S)
    line = dispatcher(place, free=False, timeout_s=60.0)
    await known(line)
    with pytest.raises(TransientEngineError) as caught:
        await line.send(request())
    assert caught.value.kind == "timeout"


async def test_requests_per_minute_are_kept() -> None:
    place = Place(script=lambda n: 0.0)
    line = dispatcher(place, requests_per_minute=60 * 50, free=False)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(line.send(request()) for _ in range(70)))
    # 50 at once, then 50 a second.
    assert loop.time() - began >= 0.39
    assert place.calls == 70


async def test_tokens_per_minute_count_what_was_used() -> None:
    place = Place(script=lambda n: 0.0)
    need = estimate(request())
    line = dispatcher(place, tokens_per_minute=60.0 * 10 * need, free=False)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(14):
        await line.send(request())
    # Each call is settled with the 10 tokens that it used, which is less than was set aside.
    assert need > 10
    assert loop.time() - began < 0.39


def test_sparse_refusals_do_not_shrink_the_window() -> None:
    window = Window(64)
    for n in range(4000):
        if n % 20 == 0:
            window.turned_away(n * 0.003, 0.2)
        else:
            window.answered()
    assert window.size == 64


def test_sustained_refusals_shrink_the_window_and_answers_open_it_again() -> None:
    window = Window(64)
    for n in range(400):
        window.turned_away(n * 0.01, 0.2)
    assert window.size < 8
    for _ in range(4000):
        window.answered()
    assert window.size == 64


def test_a_window_never_closes() -> None:
    window = Window(4)
    for n in range(10_000):
        window.turned_away(float(n), 0.2)
    assert window.size == 1
    assert window.open


@given(
    st.floats(1, 1e6),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 500)), min_size=1, max_size=60),
)
def test_a_bucket_never_gives_more_than_its_rate(
    per_minute: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now, taken, last = Bucket(per_minute, 0.0), 0.0, 0.0, 0.0
    for pause, need in steps:
        now += pause
        now += bucket.wait(need, now)
        assert bucket.wait(need, now) <= 1e-6
        bucket.take(need)
        taken, last = taken + need, need
    burst = max(1.0, per_minute / 60)
    assert taken - last <= burst + now * per_minute / 60 + 1e-3


def test_a_bucket_without_a_rate_never_waits() -> None:
    bucket = Bucket(None, 0.0)
    bucket.take(1e9)
    assert bucket.wait(1e9, 0.0) == 0


def test_latency_is_known_after_twenty_answers() -> None:
    latency = Latency()
    for n in range(19):
        latency.add(n / 10)
    assert latency.high is None
    latency.add(1.9)
    assert latency.high == 1.9
    for _ in range(200):
        latency.add(0.1)
    assert latency.high == 0.1


def test_an_address_rests_as_long_as_it_says_when_it_turns_all_away() -> None:
    lane = Lane(Place(), Traits(), 64, 0.0)
    for n in range(60):
        lane.failed(TransientEngineError("busy", 7.0, "busy"), n * 0.001)
        if lane.wait(1, n * 0.001):
            break
    assert n > 10
    assert lane.wait(1, n * 0.001) == pytest.approx(7.0)
    assert lane.wait(1, n * 0.001 + 7.0) == 0.0
