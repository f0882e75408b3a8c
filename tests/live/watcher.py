"""Asking Prometheus."""

import json
import urllib.error
import urllib.parse
import urllib.request


class Prometheus:
    """Its HTTP API, as far as it is needed here."""

    def __init__(self, url):
        self.url = url

    def get(self, path, **query):
        """The data of an answer; raises with Prometheus' own words."""
        data = urllib.parse.urlencode(query, doseq=True)
        try:
            reply = urllib.request.urlopen(f"{self.url}{path}?{data}", timeout=30)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None
        return json.load(reply)["data"]

    def instant(self, query, at):
        """Series with one value each."""
        return self.get("/api/v1/query", query=query, time=at)["result"]

    def over(self, query, start, end, step):
        """Series with values."""
        return self.get("/api/v1/query_range", query=query, start=start, end=end, step=step)["result"]

    def number(self, query, at):
        """The one value of a query that has one."""
        (row,) = self.instant(query, at)
        return float(row["value"][1])

    def by(self, label, query, at):
        """Values by a label, those that are not 0."""
        rows = self.instant(f"sum by ({label}) ({query})", at)
        return {row["metric"].get(label, ""): value for row in rows if (value := float(row["value"][1]))}
