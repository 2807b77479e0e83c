"""The Batch API, against a small server on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from cai.cli.running import progress_line
from cai.config import parse_config
from cai.engines import OpenAIEngine
from cai.engines.batch import BatchCaller, Pace
from cai.engines.batch.files import read_result, split_lines
from cai.engines.batch.ledger import Ledger
from cai.engines.batch.purse import Purse
from cai.engines.memo import Answer, Meter
from cai.errors import BudgetError, ConfigError, FatalEngineError, RowEngineError
from cai.loop import Progress
from cai.records import Message, Request, Sampling, Usage
from cai.store import RunStore
from tests.unit.batch_server import BatchServer, echo, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

KEY = "sk-batch-secret-0123456789"
FAST = Pace(quiet_s=0.05, longest_s=1.0, poll_s=0.01, longest_poll_s=0.05)
FINGERPRINT = "openai/small"


class Account:
    """Ten dollars for a million tokens, half through batches; limits as the test says."""

    def __init__(self, usd: float | None = None, tokens: int | None = None) -> None:
        self.usd_limit, self.tokens_limit = usd, tokens
        self.spent_usd, self.spent_tokens = 0.0, 0

    def check(self) -> None:
        if self.tokens_limit is not None and self.spent_tokens >= self.tokens_limit:
            raise BudgetError("used up")

    def cost(self, price: object, usage: Usage, *, batch: bool = False) -> float:
        return (usage.prompt_tokens + usage.completion_tokens) * (5e-6 if batch else 1e-5)

    def add(self, usage: Usage, cost: float | None) -> None:
        self.spent_usd += cost or 0.0
        self.spent_tokens += usage.prompt_tokens + usage.completion_tokens


def ask(text: str) -> Request:
    return Request((Message("user", text),), Sampling(max_tokens=10))


def request_id(text: str) -> str:
    return ask(text).identity(FINGERPRINT)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Bench:
    """A caller over a store, with what is around it."""

    def __init__(self, server: BatchServer, store: RunStore, caller: BatchCaller, **more: Any):
        self.server, self.store, self.caller = server, store, caller
        self.meter: Meter = more["meter"]
        self.account: Account = more["account"]

    async def all(self, *texts: str) -> list[Any]:
        """The text that each was answered with, or its exception."""
        asked = (self.caller.ask(ask(text)) for text in texts)
        async with asyncio.timeout(20):
            done = await asyncio.gather(*asked, return_exceptions=True)
        return [d.completion.text if isinstance(d, Answer) else d for d in done]

    def open(self) -> list[str]:
        return [batch.batch_id for batch in self.store.open_batches(FINGERPRINT)]

    async def settled(self, expected: Any) -> None:
        """Answers are handed out a moment before the end of their batch is written down."""
        async with asyncio.timeout(5):
            while self.open() != ([expected] if isinstance(expected, str) else expected):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(
    folder: Path, server: BatchServer, account: Account | None = None, **options: Any
) -> AsyncIterator[Bench]:
    engine = OpenAIEngine("small", base_url=server.url, api=options.pop("api", "chat"))
    await engine.start()
    account, meter = account or Account(), Meter()
    try:
        with RunStore.open(folder, durable=False) as store:
            caller = BatchCaller(
                *(engine, store, meter),
                account=account,
                run="run-7",
                wait_s=0.01,
                **({"pace": FAST} | options),
            )
            try:
                yield Bench(server, store, caller, meter=meter, account=account)
            finally:
                await caller.close()
    finally:
        await engine.close()


def run(work: Callable[[BatchServer], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        server = BatchServer(**options)
        await server.start()
        try:
            await work(server)
        finally:
            await server.stop()

    asyncio.run(main())


def test_requests_that_are_asked_together_share_a_batch(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a", "b", "c", "b") == ["A", "B", "C", "B"]
            (lines,) = server.inputs()
            assert [line["custom_id"] for line in lines] == [request_id(t) for t in "abc"]
            assert lines[0]["method"] == "POST"
            assert lines[0]["body"] == {
                "model": "small",
                "messages": [{"role": "user", "content": "a"}],
                "max_tokens": 10,
                "temperature": 1.0,
                "top_p": 1.0,
            }
            (batch,) = server.batches.values()
            assert batch["endpoint"] == "/v1/chat/completions"
            assert batch["metadata"]["run"] == "run-7"
            assert len(batch["metadata"]["content"]) == 64
            assert server.authorizations == {f"Bearer {KEY}"}
            # Answered from the store now.
            assert await bench.all("c") == ["C"]
            assert len(server.batches) == 1
            await bench.settled([])
            assert (bench.meter.asked, bench.meter.remembered) == (3, 1)
            assert bench.meter.batches == {}
            assert bench.account.spent_tokens == 3 * 14
            # Half of ten dollars for a million tokens.
            assert bench.account.spent_usd == pytest.approx(3 * 14 * 5e-6)
            stored = bench.store.call(request_id("a"))
            assert stored is not None
            assert (stored.request, stored.completion.model) == (ask("a"), "small-rev1")

    run(work)
    assert KEY.encode() not in b"".join(f.read_bytes() for f in tmp_path.iterdir())


def test_chained_stages_are_successive_batches(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:

            async def chain(text: str) -> str:
                first = (await bench.caller.ask(ask(text))).completion.text
                return (await bench.caller.ask(ask(first + " again"))).completion.text

            assert await asyncio.gather(*map(chain, "xyz")) == ["X AGAIN", "Y AGAIN", "Z AGAIN"]
            assert [len(lines) for lines in server.inputs()] == [3, 3]

    run(work)


def test_full_files_are_sent_at_once(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        slow = Pace(quiet_s=0.3, poll_s=0.01, longest_poll_s=0.01, most_requests=4)
        async with opened(tmp_path, server, pace=slow) as bench:
            await bench.all(*map(str, range(10)))
            assert [len(lines) for lines in server.inputs()] == [4, 4, 2]

    run(work)


def test_files_keep_to_their_size(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        small = Pace(quiet_s=0.05, poll_s=0.01, longest_poll_s=0.01, most_bytes=700)
        async with opened(tmp_path, server, pace=small) as bench:
            # One that is larger than a file may be is sent alone: the server has the last word.
            await bench.all("a", "b", "c", "d", "x" * 900)
            assert [len(lines) for lines in server.inputs()] == [2, 2, 1]
            inputs = [batch["input_file_id"] for batch in server.batches.values()]
            assert all(len(server.files[file_id]) <= 700 for file_id in inputs[:2])

    run(work)


def test_a_steady_trickle_does_not_keep_a_batch_back(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        pace = Pace(quiet_s=0.2, longest_s=0.3, poll_s=0.01, longest_poll_s=0.01)
        async with opened(tmp_path, server, pace=pace) as bench:
            waiting = []
            for number in range(12):
                waiting.append(asyncio.ensure_future(bench.caller.ask(ask(str(number)))))
                await asyncio.sleep(0.05)
            assert server.batches
            await asyncio.gather(*waiting)

    run(work)


def test_progress_says_how_far_the_batch_is(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.release.clear()
        async with opened(tmp_path, server) as bench:
            waiting = asyncio.ensure_future(bench.all("a", "b"))
            while not bench.meter.batches:
                await asyncio.sleep(0.005)
            server.batches["batch_0"]["request_counts"]["completed"] = 1
            while bench.meter.batches.get("batch_0") != (1, 2):
                await asyncio.sleep(0.005)
            server.release.set()
            assert await waiting == ["A", "B"]

    run(work)


def failing_once(fate: Any) -> Callable[[dict[str, Any]], Any]:
    failed: set[str] = set()

    def answer(body: dict[str, Any]) -> Any:
        text = body["messages"][-1]["content"]
        if text.startswith("bad") and text not in failed:
            failed.add(text)
            return fate
        return echo(body)

    return answer


@pytest.mark.parametrize(
    "fate",
    [
        (500, {"message": "oops"}),
        (429, {"message": "slow down"}),
        "batch_expired",
        "server_error",
        None,
    ],
    ids=str,
)
def test_only_what_failed_for_now_is_asked_again(tmp_path: Path, fate: Any) -> None:
    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a", "bad", "b") == ["A", "BAD", "B"]
            assert [[line["custom_id"] for line in lines] for lines in server.inputs()] == [
                [request_id(t) for t in ("a", "bad", "b")],
                [request_id("bad")],
            ]
            assert bench.meter.retried == 1

    run(work, answer=failing_once(fate))


def test_an_expired_batch_keeps_what_was_answered(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.end_as = "expired"
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a", "bad1", "bad2") == ["A", "BAD1", "BAD2"]
            assert server.worked[request_id("a")] == 1

    run(work, answer=failing_once("batch_expired"))


def test_tries_come_to_an_end(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server, attempts=3) as bench:
            (error,) = await bench.all("a")
            assert isinstance(error, RowEngineError)
            assert "3 batches" in str(error)
            assert "always" in str(error)
            assert len(server.batches) == 3

    run(work, answer=lambda _: (503, {"message": "always"}))


def test_a_permanent_failure_concerns_its_row_alone(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> Any:
        text = body["messages"][-1]["content"]
        if text == "filtered":
            return (400, {"code": "content_filter", "message": "no"})
        return (400, {"message": f"too long {KEY}"}) if text == "bad" else echo(body)

    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:
            done = await bench.all("a", "bad", "filtered")
            assert done[0] == "A"
            assert isinstance(done[1], RowEngineError)
            assert "too long [key]" in str(done[1])
            refused = bench.store.completion(request_id("filtered"))
            assert refused is not None
            assert refused.outcome == "refused"
            assert len(server.batches) == 1

    run(work, answer=answer)


def test_a_fatal_failure_stops_the_run_after_the_answers_are_stored(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> Any:
        poor = body["messages"][-1]["content"] == "poor"
        return (429, {"code": "insufficient_quota", "message": "no"}) if poor else echo(body)

    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:
            # Results come in the reverse order of the input.
            _, error = await bench.all("a", "poor")
            assert isinstance(error, FatalEngineError)
            assert "credit" in str(error)
            assert bench.store.completion(request_id("a")) is not None
            await bench.settled([])
            assert isinstance((await bench.all("later"))[0], FatalEngineError)

    run(work, answer=answer)


def test_a_cancelled_batch_stops_the_run(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.end_as = "cancelled"
        async with opened(tmp_path, server) as bench:
            done = await bench.all("a", "bad")
            assert done[0] == "A"
            assert isinstance(done[1], FatalEngineError)
            assert "cancelled" in str(done[1])

    run(work, answer=failing_once("batch_cancelled"))


def test_a_wrong_line_is_left_out(tmp_path: Path) -> None:
    def refuse(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        texts = [line["body"]["messages"][-1]["content"] for line in lines]
        if "bad" not in texts:
            return []
        line = texts.index("bad") + 1
        return [{"code": "invalid_json_line", "message": "unreadable", "line": line}]

    async def work(server: BatchServer) -> None:
        server.refuse = refuse
        async with opened(tmp_path, server) as bench:
            done = await bench.all("a", "bad", "b")
            assert (done[0], done[2]) == ("A", "B")
            assert isinstance(done[1], RowEngineError)
            assert "unreadable" in str(done[1])

    run(work)


def test_a_refused_batch_stops_the_run(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.refuse = lambda _: [{"code": "model_not_found", "message": "no such model"}]
        async with opened(tmp_path, server) as bench:
            (error,) = await bench.all("a")
            assert isinstance(error, FatalEngineError)
            assert "no such model" in str(error)
            await bench.settled([])

    run(work)


def test_batches_shrink_where_too_much_is_enqueued(tmp_path: Path) -> None:
    def refuse(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        too_much = {"code": "token_limit_exceeded", "message": "enqueued"}
        return [too_much] if len(lines) > 3 else []

    async def work(server: BatchServer) -> None:
        server.refuse = refuse
        async with opened(tmp_path, server, attempts=1) as bench:
            assert await bench.all(*"abcdefg") == [*"ABCDEFG"]
            assert [len(lines) for lines in server.inputs()] == [7, 3, 3, 1]

    run(work)


def test_a_server_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        away = [3]

        def before(request: web.Request) -> web.Response | None:
            if request.path.startswith("/v1/models") or not away[0]:
                away[0] = away[0] or 3 * (request.method == "GET" and "content" in request.path)
                return None
            away[0] -= 1
            return web.json_response({"error": {"message": "busy"}}, status=503)

        server.before = before
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a") == ["A"]
            assert sum(server.worked.values()) == 1

    run(work)


def failing_content(times: int, status: int) -> Callable[[web.Request], web.Response | None]:
    left = [times]

    def before(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/content") or not left[0]:
            return None
        left[0] -= 1
        return web.json_response({"error": {"message": "not now"}}, status=status)

    return before


def test_a_download_is_tried_again(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.before = failing_content(2, 503)
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a", "b") == ["A", "B"]
            assert bench.account.spent_tokens == 2 * 14

    run(work)


@pytest.mark.parametrize(("times", "status", "said"), [(8, 503, "8 tries"), (1, 404, "404")])
def test_a_download_that_fails_leaves_the_batch_open(
    tmp_path: Path, times: int, status: int, said: str
) -> None:
    async def work(server: BatchServer) -> None:
        server.before = failing_content(times, status)
        async with opened(tmp_path, server) as bench:
            (error,) = await bench.all("a")
            assert isinstance(error, FatalEngineError)
            assert said in str(error)
            await bench.settled(["batch_0"])
        server.before = lambda _: None
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a") == ["A"]
            assert len(server.batches) == 1

    run(work)


def test_many_answers_are_stored_in_bursts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cai.engines.batch.caller._TOGETHER", 3)

    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:
            assert await bench.all(*"abcdefgh") == [*"ABCDEFGH"]

    run(work)


def test_a_server_without_a_batch_api_is_said(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        def before(request: web.Request) -> web.Response | None:
            files = request.path.startswith("/v1/files")
            return web.json_response({"detail": KEY}, status=404) if files else None

        server.before = before
        async with opened(tmp_path, server) as bench:
            (error,) = await bench.all("a")
            assert isinstance(error, FatalEngineError)
            assert "Batch API" in str(error)
            assert KEY not in str(error)

    run(work)


def test_a_server_that_stays_away_stops_the_run(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        def before(request: web.Request) -> web.Response | None:
            if request.path.startswith("/v1/batches/"):
                assert request.transport is not None
                request.transport.abort()
            return None

        server.before = before
        async with opened(tmp_path, server) as bench:
            (error,) = await bench.all("a")
            assert isinstance(error, FatalEngineError)
            assert "8 tries" in str(error)
            await bench.settled(["batch_0"])

    run(work)


def test_a_creation_whose_reply_was_lost_is_not_repeated(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:
            # Others lie before it in the list, on earlier pages.
            server.lose_creations = 1
            assert await bench.all("a", "b") == ["A", "B"]
            assert len(server.batches) == 1
            assert set(server.worked.values()) == {1}

    run(work)


def test_an_open_batch_is_waited_for_by_the_next_start(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.release.clear()
        async with opened(tmp_path, server) as bench:
            waiting = asyncio.ensure_future(bench.all("a", "b"))
            await asyncio.wait_for(server.created.wait(), 10)
            while not bench.open() or bench.open()[0] != "batch_0":
                await asyncio.sleep(0.005)
            waiting.cancel()
        server.release.set()
        async with opened(tmp_path, server) as bench:
            await bench.settled(["batch_0"])
            assert await bench.all("b", "new", "a") == ["B", "NEW", "A"]
            assert len(server.batches) == 2
            assert set(server.worked.values()) == {1}
            await bench.settled([])

    run(work)


def test_an_answer_that_nobody_asks_for_yet_is_kept(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.release.clear()
        async with opened(tmp_path, server) as bench:
            waiting = asyncio.ensure_future(bench.all("a", "b"))
            while bench.open() != ["batch_0"]:
                await asyncio.sleep(0.005)
            waiting.cancel()
        server.release.set()
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a") == ["A"]
            # Another start could still ask for b, so its batch stays open.
            await bench.settled(["batch_0"])
        async with opened(tmp_path, server) as bench:
            assert await bench.all("c") == ["C"]
            assert await bench.all("b") == ["B"]
            await bench.settled([])
            assert set(server.worked.values()) == {1}

    run(work)


def test_a_batch_that_the_server_forgot_is_asked_anew(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        with RunStore.open(tmp_path, durable=False) as store:
            await Ledger(store, FINGERPRINT).created("file-9", "batch_9", [request_id("a")])
            await Ledger(store, FINGERPRINT).intend("file-8", [request_id("b")])
            await Ledger(store, "openai/other").intend("file-7", [])
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a") == ["A"]
            await bench.settled([])
            assert len(bench.store.open_batches("openai/other")) == 1

    run(work)


def test_the_budget_is_set_aside_before_a_batch_is_sent(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        # Each request may use 0 + 8 + 10 tokens and uses 14: two fit, then one, then none.
        async with opened(tmp_path, server, Account(tokens=46)) as bench:
            done = await bench.all("a", "b", "c", "d")
            assert done[:3] == ["A", "B", "C"]
            assert isinstance(done[3], BudgetError)
            assert [len(lines) for lines in server.inputs()] == [2, 1]

    run(work)


def test_what_is_set_aside_for_a_batch_holds_the_next_one_back(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        server.release.clear()
        async with opened(tmp_path, server, Account(tokens=46)) as bench:
            waiting = asyncio.ensure_future(bench.all("a", "b", "c"))
            await asyncio.wait_for(server.created.wait(), 10)
            await asyncio.sleep(0.3)
            assert [len(lines) for lines in server.inputs()] == [2]
            server.release.set()
            assert await waiting == ["A", "B", "C"]

    run(work)


def test_a_budget_in_dollars_is_kept(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server, Account(usd=3 * 14 * 5e-6)) as bench:
            done = await bench.all("a", "b", "c", "d")
            assert sum(isinstance(d, BudgetError) for d in done) == 2
            assert bench.account.spent_usd <= 3 * 14 * 5e-6

    run(work)


def test_money_that_was_set_aside_comes_back() -> None:
    purse = Purse(Account(tokens=20), None)  # type: ignore[arg-type]
    assert purse.reserve("x", ask("a"))
    assert not purse.reserve("y", ask("b"))
    purse.free("x")
    purse.free("x")
    assert purse.reserve("y", ask("b"))


def test_the_completions_protocol(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server, api="completions") as bench:
            assert await bench.all("a") == ["text"]
            (line,) = server.inputs()[0]
            assert line["url"] == "/v1/completions"
            assert line["body"]["prompt"] == "User: a\n\nAssistant:"

    run(work, answer=lambda _: {"choices": [{"text": " text", "finish_reason": "stop"}]})


def test_texts_may_hold_any_sign_but_a_line_feed(tmp_path: Path) -> None:
    strange = "one\u2028two\x85three\x0bfour"

    async def work(server: BatchServer) -> None:
        async with opened(tmp_path, server) as bench:
            assert await bench.all("a") == [strange]

    run(work, answer=lambda _: reply(strange))


def test_an_answer_that_no_file_can_hold_is_a_failed_row(tmp_path: Path) -> None:
    async def work(server: BatchServer) -> None:
        broken = json.dumps({"custom_id": request_id("a"), "response": {"status_code": 200}})
        server.files["file-x"] = broken.encode()[:-2] + b', "body": {"choices": "\\ud800"}}}'
        async with opened(tmp_path, server, attempts=1) as bench:
            server.end_as = "completed"
            waiting = asyncio.ensure_future(bench.all("a"))
            await server.created.wait()
            server.batches["batch_0"] |= {"status": "completed", "output_file_id": "file-x"}
            assert isinstance((await waiting)[0], RowEngineError)

    run(work)


@pytest.mark.parametrize("line", [b"<html>", b"[]", b'{"id": 3}', b'{"custom_id": 3}'])
def test_lines_that_are_none_of_the_api(line: bytes) -> None:
    with pytest.raises(FatalEngineError, match="Batch API"):
        read_result(line)


def test_lines_are_put_together_from_pieces() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"on", b"e\ntw", b"o\n\n", b"thr", b"ee"):
            yield piece

    async def work() -> list[bytes]:
        return [line async for line in split_lines(pieces())]

    assert asyncio.run(work()) == [b"one", b"two", b"three"]


CHILD = Path(__file__).parent / "batch_child.py"


@pytest.mark.parametrize("moment", ["between creating and recording", "while waiting"])
def test_a_killed_process_is_taken_up_by_the_next(tmp_path: Path, moment: str) -> None:
    async def work(server: BatchServer) -> None:
        server.release.clear()
        if moment == "between creating and recording":
            server.hold_creation.clear()
        environment = {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}
        environment["PYTHONPATH"] = str(CHILD.parents[2])
        child = subprocess.Popen([sys.executable, str(CHILD), str(tmp_path)], env=environment)
        try:
            async with asyncio.timeout(30):
                await server.created.wait()
                while moment == "while waiting" and server.polls < 3:
                    await asyncio.sleep(0.01)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        server.hold_creation.set()
        server.release.set()
        async with opened(tmp_path, server) as bench:
            expected = "file-0" if moment == "between creating and recording" else "batch_0"
            await bench.settled([expected])
            assert await bench.all(*"abc", "new") == ["A", "B", "C", "NEW"]
            assert set(server.worked.values()) == {1}
            assert len(server.batches) == 2
            await bench.settled([])
            bench.store.check()

    run(work)
    assert KEY.encode() not in b"".join(f.read_bytes() for f in tmp_path.iterdir())


def test_progress_lines_name_the_batches() -> None:
    progress = Progress(total=9)
    progress.meter.batches["batch_1"] = (2, 10)
    assert "waiting for batch batch_1: 2 of 10" in progress_line(progress)
    progress.meter.batches["batch_2"] = (1, 5_000)
    assert "waiting for 2 batches: 3 of 5,010" in progress_line(progress)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"engine": "vllm"}, "needs engine: openai"),
        ({"engine": "openai", "base_url": ["http://a/v1", "http://b/v1"]}, "needs one server"),
    ],
)
def test_batches_need_one_server_that_has_them(model: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_config({"prompts": {"path": "p"}, "models": {"judge": {**model, "batch": True}}})
    one = {"engine": "openai", "base_url": ["http://a/v1"], "batch": True}
    parse_config({"prompts": {"path": "p"}, "models": {"judge": one}})


def test_money_is_not_counted_where_calls_are_free() -> None:
    account = Account(usd=1e-9)
    purse = Purse(account, None, paid=False)  # type: ignore[arg-type]
    assert purse.reserve("x", ask("a"))
    assert purse.pay("x", Usage(100, 100)) == 0.0
    assert (account.spent_usd, account.spent_tokens) == (0.0, 200)


def answer_of_a_loop(body: dict[str, Any]) -> dict[str, Any]:
    """Votes as a judge, and answers with something longer each time."""
    last = body["messages"][-1]["content"]
    if "<answer_a>" in last:
        return reply("B")
    return reply(f"A text on {len(last)} signs.")


def test_a_whole_run_goes_through_batches(tmp_path: Path) -> None:
    import cai

    async def work(server: BatchServer) -> None:
        model = {"engine": "openai", "model": "small", "base_url": server.url, "batch": True}
        config = parse_config(
            {
                "run": str(tmp_path / "run"),
                "prompts": {"path": "starter", "limit": 3},
                "models": {"policy": {**model, "logprobs": "never"}},
                "loop": {"samples": 1, "pairs": ["revision"]},
                "judge": {"votes": 2, "orders": "first"},
            }
        )
        generation = cai.Generation(config)
        rows = [row async for row in generation.stream()]
        assert [row.error for row in rows] == [""] * 3
        # Sample, critique, revise and judge, each in one batch over all prompts.
        assert [len(lines) for lines in server.inputs()] == [3, 3, 3, 6]
        assert {b["metadata"]["run"] for b in server.batches.values()} == {"run"}
        orders = [order for row in rows for pair in row.pairs for order in pairs_orders(pair)]
        # Both votes for the second slot: (0 + ½) / (2 + 1).
        assert [order.p_shown_first for order in orders] == [pytest.approx(1 / 6)] * 3

    def pairs_orders(pair: Any) -> Any:
        return pair.verdict.principles[0].orders

    monkey = pytest.MonkeyPatch()
    monkey.setattr("cai.engines.batch.caller.Pace", lambda: FAST)
    try:
        run(work, answer=answer_of_a_loop)
    finally:
        monkey.undo()
