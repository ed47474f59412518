"""The batch API of the gym: many episodes begun, and many stepped, by one request."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, Iterable, Mapping
from urllib.parse import quote, urlsplit

RETRIES = 5
PAUSE_S = 0.2


class GymProblem(Exception):
    """What the gym refused: `code` for machines, the message for people, `hint` says what to do."""

    def __init__(self, problem: Mapping[str, Any]):
        self.code = str(problem.get("code", "internal"))
        self.status = int(problem.get("status", 500))
        self.hint = problem.get("hint")
        words = str(problem.get("detail", "the gym failed"))
        super().__init__(f"{words} ({self.hint})" if self.hint else words)


class GymClient:
    """Talks to a gym at `url` (`stepstore gym serve`, or a server of all programs). Not for use by several threads at once."""

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 120.0):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a gym, such as http://127.0.0.1:7071")
        self._parts = parts
        self._timeout_s = timeout_s
        self._headers = {"content-type": "application/json"}
        if key is not None:
            self._headers["authorization"] = f"Bearer {key}"
        self._connection: http.client.HTTPConnection | None = None

    def about(self) -> dict[str, Any]:
        """Families, kinds and tools, and how many episodes are open."""
        return self._asked("GET", "/v1/gym")

    def begin(self, episodes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Begins an episode for each options. One that could not be begun is `{"problem": {...}}`."""
        return self._asked("POST", "/v1/gym/episodes", {"episodes": list(episodes)})["episodes"]

    def step(self, steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Takes a turn of each `{"episode_id", "action", "step_index"}`. With `step_index` it counts once, however often it is sent."""
        return self._asked("POST", "/v1/gym/steps", {"steps": list(steps)})["steps"]

    def state(self, episode_id: str) -> dict[str, Any]:
        """An episode as it stands."""
        return self._asked("GET", f"/v1/gym/episodes/{quote(episode_id, safe='')}")

    def end(self, episode_id: str) -> None:
        """Ends an episode; nothing happens for one that has ended."""
        self._asked("DELETE", f"/v1/gym/episodes/{quote(episode_id, safe='')}")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asked(self, method: str, path: str, body: Any = None) -> Any:
        text = None if body is None else json.dumps(body)
        for attempt in range(RETRIES + 1):
            try:
                status, answer = self._once(method, path, text)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == RETRIES:
                    raise self._silence(error) from error
            else:
                if status < 300:
                    return json.loads(answer) if answer else None
                problem = _problem(status, answer)
                if status not in (429, 503) or attempt == RETRIES:
                    raise problem
            time.sleep(PAUSE_S * 2**attempt)
        raise AssertionError("not reached")

    def _silence(self, error: Exception) -> ConnectionError:
        default = 443 if self._parts.scheme == "https" else 80
        where = f"{self._parts.scheme}://{self._parts.hostname}:{self._parts.port or default}"
        hint = "start one with `stepstore gym serve` (port 7071) or `npm start` (port 7070), or give the address of one"
        return ConnectionError(f"no gym answers at {where} ({str(error) or type(error).__name__}): {hint}")

    def _once(self, method: str, path: str, text: str | None) -> tuple[int, bytes]:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        # The batch API has the same path where the gym shares its port with others.
        base = self._parts.path.rstrip("/").removesuffix("/gym")
        self._connection.request(method, base + path, body=text, headers=self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _problem(status: int, answer: bytes) -> GymProblem:
    try:
        return GymProblem(json.loads(answer))
    except ValueError:
        return GymProblem({"status": status, "detail": f"the gym answered {status}"})
