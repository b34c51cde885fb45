"""The simulator's schedules against AWS's own words, which are looked up in botocore's API model.

What only the user guide says ("Rotation schedules") is quoted in the test's own sentence and marked as such: botocore
does not ship it.
"""

import calendar
import functools
import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from hypothesis import assume, given
from hypothesis import strategies as any_of

from testkit.simulator import Simulator
from testkit.simulator.cron import parse_cron
from testkit.simulator.schedules import parse_rules

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

NOW = datetime(2026, 3, 12, 10, 30, tzinfo=UTC)  # a Thursday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@functools.cache
def reference(shape: str) -> str:
    """What AWS's API reference says of the members of a shape, without markup."""
    model: dict[str, Any] = Loader().load_service_model("secretsmanager", "service-2")
    texts = [member.get("documentation", "") for member in model["shapes"][shape]["members"].values()]
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", "", " ".join(texts))))


def says(shape: str, sentence: str) -> None:
    """The API reference has this sentence."""
    assert sentence in reference(shape)


class Rotator:
    """A function that rotates, or fails for as long as it is told to."""

    def __init__(self, aws: Simulator, name: str = "rotator") -> None:
        self.fails, self.client = False, aws.client()
        self.arn = aws.add_function(name, self).arn

    def __call__(self, event: dict[str, str], _context: object) -> None:
        if self.fails:
            raise RuntimeError("on purpose")
        if event["Step"] == "createSecret":
            self.client.put_secret_value(
                SecretId=event["SecretId"],
                ClientRequestToken=event["ClientRequestToken"],
                SecretString=event["ClientRequestToken"],
                VersionStages=["AWSPENDING"],
            )
        if event["Step"] == "finishSecret":
            labels = self.client.describe_secret(SecretId=event["SecretId"])["VersionIdsToStages"]
            (current,) = [version for version, names in labels.items() if "AWSCURRENT" in names]
            self.client.update_secret_version_stage(
                SecretId=event["SecretId"],
                VersionStage="AWSCURRENT",
                MoveToVersionId=event["ClientRequestToken"],
                RemoveFromVersionId=current,
            )


@pytest.fixture
def aws() -> Iterator[Simulator]:
    """A simulator at NOW."""
    with Simulator(clock=NOW.timestamp) as simulator:
        yield simulator


@pytest.fixture
def client(aws: Simulator) -> "SecretsManagerClient":
    """A client, and a secret `app`."""
    client = aws.client()
    client.create_secret(Name="app", SecretString="one")
    return client


@pytest.fixture
def rotator(aws: Simulator) -> Rotator:
    """The function."""
    return Rotator(aws)


def rotations(aws: Simulator, name: str = "RotationSucceeded") -> list[datetime]:
    """When the trail has this event, to the minute."""
    return [datetime.fromtimestamp(event.time, UTC) for event in aws.events if event.name == name]


def next_date(client: "SecretsManagerClient", name: str = "app") -> datetime | None:
    """NextRotationDate, which DescribeSecret and ListSecrets say alike."""
    said: datetime | None = client.describe_secret(SecretId=name).get("NextRotationDate")
    (listed,) = [entry for entry in client.list_secrets()["SecretList"] if entry["Name"] == name]
    assert listed.get("NextRotationDate") == said
    return None if said is None else said.astimezone(UTC)


def utc(*parts: int) -> datetime:
    """A moment in UTC."""
    year, month, day, hour, minute, second = (*parts, 0, 0, 0)[:6]
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def windows(expression: str, after: datetime = NOW, count: int = 4) -> list[datetime]:
    """When the next windows open."""
    every, found = parse_rules({"ScheduleExpression": expression}, after.timestamp()), [after]
    for _ in range(count):
        found.append(datetime.fromtimestamp(every.next_start(found[-1].timestamp()), UTC))
    return found[1:]


class TestRates:
    """`rate(…)` and AutomaticallyAfterDays."""

    def test_days(self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator) -> None:
        says("RotationRulesType", "If you use a rate() expression, the rotation window starts at midnight.")
        says("RotationRulesType", "For a rate in days, the default rotation window closes at the end of the day.")
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(10 days)"})
        assert next_date(client) == utc(2026, 3, 22, 23, 59, 59)
        aws.advance(21 * DAY)
        assert rotations(aws) == [NOW, utc(2026, 3, 22), utc(2026, 4, 1)]
        assert next_date(client) == utc(2026, 4, 11, 23, 59, 59)

    def test_hours(self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator) -> None:
        says("RotationRulesType", "for example rate(12 hours) or rate(10 days).")
        says("RotationRulesType", "For a rate in hours, the default rotation window closes after one hour.")
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(12 hours)"})
        assert next_date(client) == utc(2026, 3, 12, 12, 59, 59)
        aws.advance(DAY)
        assert rotations(aws) == [NOW, utc(2026, 3, 12, 12), utc(2026, 3, 13)]

    def test_hours_that_do_not_divide_a_day_go_on_over_midnight(self) -> None:
        assert [start.hour for start in windows("rate(10 hours)", utc(2026, 3, 12, 1))] == [10, 20, 6, 16]

    def test_every_four_hours_at_most(self, client: "SecretsManagerClient", rotator: Rotator) -> None:
        says("RotationRulesType", "You can rotate a secret as often as every four hours.")
        refused(client, rotator, {"ScheduleExpression": "rate(3 hours)"}, "every four hours")
        accepted(client, rotator, {"ScheduleExpression": "rate(4 hours)"})

    @pytest.mark.parametrize(
        "expression",
        [
            "rate(1000 days)",
            "rate(0 days)",
            "rate(2 weeks)",
            "rate(days)",
            "rate(1.5 days)",
            "rate( 4 hours )",
            "daily",
        ],
    )
    def test_no_others(self, client: "SecretsManagerClient", rotator: Rotator, expression: str) -> None:
        """User guide: "Value is a positive integer and Unit can be hour, hours, day, or days"; "The maximum rotation period is 999 days"."""
        refused(client, rotator, {"ScheduleExpression": expression})

    @pytest.mark.parametrize("expression", ["rate(1 day)", "rate(1 days)", "rate(999 days)", "rate(24 hours)"])
    def test_these(self, client: "SecretsManagerClient", rotator: Rotator, expression: str) -> None:
        """User guide: likewise."""
        accepted(client, rotator, {"ScheduleExpression": expression})

    def test_automatically_after_days_counts_a_change_by_hand(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        says(
            "RotationRulesType",
            "If you use this field to set the rotation schedule, Secrets Manager calculates the next rotation date based "
            "on the previous rotation. Manually updating the secret value by calling PutSecretValue or UpdateSecret is "
            "considered a valid rotation.",
        )
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"AutomaticallyAfterDays": 30})
        changes: list[Callable[..., Any]] = [client.put_secret_value, client.update_secret]
        for change in changes:
            aws.advance(20 * DAY)
            change(SecretId="app", SecretString=f"by hand, with {change.__name__}")
        assert rotations(aws) == [NOW]
        assert next_date(client) == utc(2026, 5, 21, 23, 59, 59)

    def test_a_rate_does_not(self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator) -> None:
        """That sentence is about "this field"."""
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(30 days)"})
        before = next_date(client)
        aws.advance(20 * DAY)
        client.put_secret_value(SecretId="app", SecretString="by hand")
        assert next_date(client) == before

    def test_one_or_the_other(self, client: "SecretsManagerClient", rotator: Rotator) -> None:
        says(
            "RotationRulesType",
            "In RotateSecret, you can set the rotation schedule in RotationRules with AutomaticallyAfterDays or "
            "ScheduleExpression, but not both.",
        )
        refused(client, rotator, {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"}, "specify both")
        refused(client, rotator, {"Duration": "3h"}, "needs")
        refused(client, rotator, {"AutomaticallyAfterDays": 1001}, "within 1-1000")
        for days in (1, 1000):
            accepted(client, rotator, {"AutomaticallyAfterDays": days})


class TestCron:
    """`cron(…)`."""

    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("cron(0 /8 * * ? *)", [(3, 12, 16), (3, 13, 0), (3, 13, 8)]),
            ("cron(0 8/8 * * ? *)", [(3, 12, 16), (3, 13, 8), (3, 13, 16)]),
            ("cron(0 2/10 * * ? *)", [(3, 12, 12), (3, 12, 22), (3, 13, 2)]),
            ("cron(0 4/12 * * ? *)", [(3, 12, 16), (3, 13, 4), (3, 13, 16)]),
            ("cron(0 10 * * ? *)", [(3, 13, 10), (3, 14, 10)]),
            ("cron(0 18 ? * SAT *)", [(3, 14, 18), (3, 21, 18)]),
            ("cron(0 8 1 * ? *)", [(4, 1, 8), (5, 1, 8)]),
            ("cron(0 1 ? 1/3 SUN#1 *)", [(4, 5, 1), (7, 5, 1), (10, 4, 1)]),
            ("cron(0 17 L * ? *)", [(3, 31, 17), (4, 30, 17), (5, 31, 17)]),
            ("cron(0 8 ? * MON-FRI *)", [(3, 13, 8), (3, 16, 8)]),
            ("cron(0 16 1,15 * ? *)", [(3, 15, 16), (4, 1, 16), (4, 15, 16)]),
            ("cron(0 0 ? * SUN#1 *)", [(4, 5, 0), (5, 3, 0)]),
            ("cron(0 0 ? 1/11 2#1 *)", [(12, 7, 0)]),
        ],
    )
    def test_the_guides_examples(self, expression: str, expected: list[tuple[int, ...]]) -> None:
        """User guide: the table of example schedules, and "A cron expression that includes increments of hours resets each day"."""
        assert windows(expression, count=len(expected)) == [utc(2026, *parts) for parts in expected]

    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("cron(0 0 31 * ? *)", [(3, 31), (5, 31), (7, 31), (8, 31)]),  # months without a 31st are left out
            ("cron(0 0 SUNL * ? *)", [(3, 29), (4, 26), (5, 31)]),  # "the last Sunday of the month"
            ("cron(0 0 ? * SUNL *)", [(3, 29), (4, 26), (5, 31)]),
            ("cron(0 0 ? * L *)", [(3, 14), (3, 21)]),  # "the last day of the week": Saturday
            ("cron(0 0 ? * 1/2 *)", [(3, 14), (3, 15), (3, 17), (3, 19)]),  # "so day 1, 3, 5, and 7"
            ("cron(0 0 ? * MON#5 *)", [(3, 30), (6, 29), (8, 31)]),  # few months have a fifth
            ("cron(0 0 1/10 * ? *)", [(3, 21), (3, 31), (4, 1), (4, 11)]),
            ("cron(0 0 1-2 jan,JUL ? *)", [(7, 1), (7, 2)]),
            ("cron(0 23 ? * 7 *)", [(3, 14, 23)]),
        ],
    )
    def test_days(self, expression: str, expected: list[tuple[int, ...]]) -> None:
        """User guide: the table of wildcards."""
        assert windows(expression, count=len(expected)) == [utc(2026, *parts) for parts in expected]

    def test_the_last_of_february_is_a_leap_day_every_four_years(self) -> None:
        assert windows("cron(0 6 L 2 ? *)") == [
            utc(2027, 2, 28, 6),
            utc(2028, 2, 29, 6),
            utc(2029, 2, 28, 6),
            utc(2030, 2, 28, 6),
        ]

    @pytest.mark.parametrize(
        ("expression", "why"),
        [
            ("cron(30 10 * * ? *)", "must have 0 in the minutes field"),
            ("cron(0 10 * * ? 2027)", "must have \\* in the year field"),
            ("cron(0 10 29 2 ? *)", "more than a year apart"),
            ("cron(0 10 ? 2 MON#5 *)", "more than a year apart"),
            ("cron(0 10 30 FEB ? *)", "more than a year apart"),
            ("cron(0 10 * * * *)", "must be \\?"),
            ("cron(0 10 ? * ? *)", "must be \\?"),
            ("cron(0 10 1 * MON *)", "must be \\?"),
            ("cron(0 /3 * * ? *)", "every four hours"),
            ("cron(0 3/20 * * ? *)", ""),
            ("cron(0 1/11 * * ? *)", "every four hours"),  # 1, 12, 23, and two hours later 1 again
            ("cron(0 10 * * ?)", "six fields"),
            ("cron(0 24 * * ? *)", "from 0 to 23"),
            ("cron(0 * * * ? *)", "number or an increment"),
            ("cron(0 1,9 * * ? *)", "number or an increment"),
            ("cron(0 10 0 * ? *)", "from 1 to 31"),
            ("cron(0 10 32 * ? *)", "from 1 to 31"),
            ("cron(0 10 * 13 ? *)", "from 1 to 12"),
            ("cron(0 10 ? * 0 *)", "from 1 to 7"),
            ("cron(0 10 ? * MON#6 *)", "from 1 to 5"),
            ("cron(0 10 ? * FRI-MON *)", "ends before it begins"),
            ("cron(0 10 1/0 * ? *)", "from 1 to 31"),
            ("cron(0 10 1, * ? *)", "nothing is not a value"),
            ("cron()", "six fields"),
        ],
    )
    def test_what_is_refused(self, client: "SecretsManagerClient", rotator: Rotator, expression: str, why: str) -> None:
        """User guide: "Cron expression requirements in Secrets Manager", and its table."""
        if why:
            refused(client, rotator, {"ScheduleExpression": expression}, why)
        else:
            accepted(client, rotator, {"ScheduleExpression": expression})

    FIELDS = (
        any_of.integers(0, 23),
        any_of.sampled_from(["*", "L", "SUNL", "1", "31", "28", "1,15", "1-7", "5/9", "10-20/3"]),
        any_of.sampled_from(["*", "1", "FEB", "JAN,APR,JUL,OCT", "1-3", "2/5", "*/4"]),
        any_of.sampled_from(["*", "L", "SUN", "1,4", "MON-FRI", "1/2", "TUE#3", "7#5", "FRIL"]),
    )

    CENTURY = (utc(2000, 1, 1).replace(tzinfo=None), utc(2090, 1, 1).replace(tzinfo=None))  # as hypothesis takes them

    @given(*FIELDS, any_of.sampled_from(["day", "weekday"]), any_of.datetimes(*CENTURY))
    def test_the_next_window_is_the_first_that_fits_the_fields(
        self,
        hour: int,
        month_days: str,
        months: str,
        weekdays: str,
        by: str,
        moment: datetime,
    ) -> None:
        """Later than now, on the hour, within the fields; and no hour between would fit."""
        days = f"? {months} {weekdays}" if by == "weekday" else f"{month_days} {months} ?"
        after = moment.replace(tzinfo=UTC)
        try:
            cron = parse_cron(f"0 {hour} {days} *")
        except ValueError as refused_for:
            assume("more than a year apart" not in str(refused_for))
            raise
        start = next(cron.starts(after))
        assert start > after
        assert (start.hour, start.minute, start.second, start.microsecond) == (hour, 0, 0, 0)
        assert fits(start.date(), month_days, months, weekdays, by_week=by == "weekday")
        day = after.date() + DAY
        while day < start.date():
            assert not fits(day, month_days, months, weekdays, by_week=by == "weekday")
            day += DAY

    def test_it_is_utc(self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator) -> None:
        says("RotationRulesType", "Secrets Manager rotation schedules use UTC time zone.")
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "cron(0 16 L * ? *)"})
        assert next_date(client) == utc(2026, 3, 31, 23, 59, 59)
        aws.advance(50 * DAY)
        assert rotations(aws)[1:] == [utc(2026, 3, 31, 16), utc(2026, 4, 30, 16)]


def fits(day: date, month_days: str, months: str, weekdays: str, *, by_week: bool) -> bool:
    """What a person reads in the fields, written down case by case."""
    of_months = {
        "*": range(1, 13), "1": [1], "FEB": [2], "JAN,APR,JUL,OCT": [1, 4, 7, 10], "1-3": [1, 2, 3], "2/5": [2, 7, 12],
        "*/4": [1, 5, 9],
    }  # fmt: skip
    last = calendar.monthrange(day.year, day.month)[1]
    weekday = day.strftime("%a").upper()
    of_month = {
        "*": True, "L": day.day == last, "SUNL": weekday == "SUN" and day.day + 7 > last, "1": day.day == 1,
        "31": day.day == 31, "28": day.day == 28, "1,15": day.day in (1, 15), "1-7": day.day <= 7,
        "5/9": day.day in (5, 14, 23), "10-20/3": day.day in (10, 13, 16, 19),
    }  # fmt: skip
    of_week = {
        "*": True, "L": weekday == "SAT", "SUN": weekday == "SUN", "1,4": weekday in ("SUN", "WED"),
        "MON-FRI": weekday not in ("SAT", "SUN"), "1/2": weekday in ("SUN", "TUE", "THU", "SAT"),
        "TUE#3": weekday == "TUE" and 15 <= day.day <= 21, "7#5": weekday == "SAT" and day.day >= 29,
        "FRIL": weekday == "FRI" and day.day + 7 > last,
    }  # fmt: skip
    return day.month in of_months[months] and (of_week[weekdays] if by_week else of_month[month_days])


class TestDuration:
    """The window's length."""

    @pytest.mark.parametrize(
        ("expression", "duration", "why"),
        [
            ("cron(0 16 1,15 * ? *)", "2h", None),  # the user guide's example
            ("cron(0 16 * * ? *)", "8h", None),
            ("cron(0 16 * * ? *)", "9h", "next UTC day"),
            ("rate(10 days)", "24h", None),
            ("rate(10 days)", "25h", "next UTC day"),
            ("rate(4 hours)", "4h", None),
            ("rate(4 hours)", "5h", "next rotation window"),
            ("rate(10 hours)", "2h", None),
            ("rate(10 hours)", "3h", "next UTC day"),  # a window opens at 22 o'clock on some days
            ("cron(0 /8 * * ? *)", "8h", None),
            ("cron(0 /8 * * ? *)", "9h", "next rotation window"),
            ("cron(0 2/10 * * ? *)", "2h", None),
            ("cron(0 2/10 * * ? *)", "3h", "next UTC day"),
            ("rate(1 day)", "0h", "1h at least"),
            ("rate(1 day)", "90m", "number of hours"),
            ("rate(1 day)", "2 h", "number of hours"),
        ],
    )
    def test_it_stays_within_the_day_and_before_the_next(
        self, client: "SecretsManagerClient", rotator: Rotator, expression: str, duration: str, why: str | None
    ) -> None:
        says(
            "RotationRulesType",
            "The rotation window must not extend into the next UTC day or into the next rotation window.",
        )
        says("RotationRulesType", "The length of the rotation window in hours, for example 3h for a three hour window.")
        rules = {"ScheduleExpression": expression, "Duration": duration}
        if why is None:
            accepted(client, rotator, rules)
        else:
            refused(client, rotator, rules, why)

    @pytest.mark.parametrize(
        ("rules", "closes"),
        [
            ({"ScheduleExpression": "cron(0 16 * * ? *)"}, utc(2026, 3, 12, 23, 59, 59)),
            ({"ScheduleExpression": "cron(0 16 * * ? *)", "Duration": "2h"}, utc(2026, 3, 12, 17, 59, 59)),
            ({"ScheduleExpression": "cron(0 8/8 * * ? *)"}, utc(2026, 3, 12, 16, 59, 59)),
            ({"ScheduleExpression": "rate(1 day)", "Duration": "3h"}, utc(2026, 3, 13, 2, 59, 59)),
            ({"AutomaticallyAfterDays": 2, "Duration": "3h"}, utc(2026, 3, 14, 2, 59, 59)),
        ],
    )
    def test_the_next_date_is_the_windows_last_second(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator, rules: Any, closes: datetime
    ) -> None:
        says("DescribeSecretResponse", "The next rotation is scheduled to occur on or before this date.")
        says(
            "RotationRulesType",
            "For a cron expression that represents a schedule in hours, the default rotation window closes after one "
            "hour. For a cron expression that represents a schedule in days, the default rotation window closes at the "
            "end of the day.",
        )
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules=rules)
        assert next_date(client) == closes


class TestWhatIsAnswered:
    """RotationRules, NextRotationDate, LastRotatedDate."""

    def test_never_configured(self, client: "SecretsManagerClient") -> None:
        says(
            "DescribeSecretResponse",
            "If the secret has never been configured for rotation, Secrets Manager returns null.",
        )
        says("DescribeSecretResponse", "If the secret never had rotation turned on, this field is omitted.")
        said = client.describe_secret(SecretId="app")
        assert not {"RotationEnabled", "RotationRules", "NextRotationDate", "LastRotatedDate"} & set(said)

    def test_rules_as_given_and_the_days_after_a_rotation(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        says(
            "RotationRulesType",
            "In DescribeSecret and ListSecrets, this value is calculated from the rotation schedule after every "
            "successful rotation.",
        )
        rules: Any = {"ScheduleExpression": "cron(0 16 ? * SUN *)", "Duration": "2h"}
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules=rules, RotateImmediately=False)
        assert client.describe_secret(SecretId="app")["RotationRules"] == rules
        aws.advance(7 * DAY)
        assert client.describe_secret(SecretId="app")["RotationRules"] == {**rules, "AutomaticallyAfterDays": 7}
        assert client.list_secrets()["SecretList"][0]["RotationRules"] == {**rules, "AutomaticallyAfterDays": 7}

    def test_turned_off(self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator) -> None:
        says(
            "DescribeSecretResponse",
            "If the secret isn't configured for rotation or rotation has been disabled, Secrets Manager returns null.",
        )
        says(
            "DescribeSecretResponse",
            "If the secret previously had rotation turned on, but it is now turned off, this field shows the previous "
            "rotation schedule and rotation function.",
        )
        says("SecretListEntry", "This value is null if the secret hasn't ever rotated.")
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(1 day)"})
        client.cancel_rotate_secret(SecretId="app")
        said = client.describe_secret(SecretId="app")
        assert said["RotationEnabled"] is False
        assert next_date(client) is None
        assert "LastRotatedDate" not in said
        assert said["RotationRules"]["ScheduleExpression"] == "rate(1 day)"
        assert client.list_secrets()["SecretList"][0]["LastRotatedDate"] == NOW
        aws.advance(10 * DAY)
        assert rotations(aws) == [NOW]

    def test_turned_on_again(self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator) -> None:
        """User guide of CancelRotateSecret: "To turn on automatic rotation again, call RotateSecret"."""
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(7 days)"})
        client.cancel_rotate_secret(SecretId="app")
        aws.advance(30 * DAY)
        aws.rotate("app")
        assert next_date(client) == utc(2026, 4, 18, 23, 59, 59)

    def test_all_dates_are_of_the_simulators_clock(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        """Or a test that moves it could not reason about them."""
        aws.advance(DAY)
        client.create_secret(Name="later", SecretString="one")
        aws.advance(DAY)
        aws.rotate("later", RotationLambdaARN=rotator.arn)
        said = client.describe_secret(SecretId="later")
        assert (said["CreatedDate"], said["LastChangedDate"], said["LastRotatedDate"]) == (
            NOW + DAY,
            NOW + 2 * DAY,
            NOW + 2 * DAY,
        )
        assert client.get_secret_value(SecretId="later")["CreatedDate"] == NOW + 2 * DAY
        versions = client.list_secret_version_ids(SecretId="later")["Versions"]
        assert [version["CreatedDate"] for version in versions] == [NOW + DAY, NOW + 2 * DAY]
        assert rotations(aws, "RotationStarted") == [NOW + 2 * DAY]
        deleted = client.delete_secret(SecretId="later", RecoveryWindowInDays=7)["DeletionDate"]
        assert abs(deleted - (NOW + 9 * DAY)) < timedelta(seconds=10)


class TestRotations:
    """What the passing of time does."""

    def test_without_rules_those_that_are_set(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        """RotateSecret: "If you don't include the configuration parameters, the operation starts a rotation with the values already stored in the secret"."""
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(7 days)"})
        aws.advance(3 * DAY)
        aws.rotate("app")
        assert next_date(client) == utc(2026, 3, 22, 23, 59, 59)

    def test_not_immediately(self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator) -> None:
        says(
            "RotateSecretRequest",
            "Specifies whether to rotate the secret immediately or wait until the next scheduled rotation window.",
        )
        rules: Any = {"ScheduleExpression": "cron(0 3 ? * SUN *)"}
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules=rules, RotateImmediately=False)
        assert next_date(client) == utc(2026, 3, 15, 23, 59, 59)
        assert rotations(aws) == []
        aws.advance(3 * DAY)
        assert rotations(aws) == [utc(2026, 3, 15, 3)]

    def test_many_secrets_in_the_order_of_their_windows(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        """Each to its end before the next begins."""
        schedules = {"a": "cron(0 8 * * ? *)", "b": "cron(0 3 * * ? *)", "c": "rate(12 hours)"}
        for name, expression in schedules.items():
            client.create_secret(Name=name, SecretString="one")
            rules: Any = {"ScheduleExpression": expression}
            aws.rotate(name, RotationLambdaARN=rotator.arn, RotationRules=rules, RotateImmediately=False)
        aws.advance(DAY)
        done = [
            (event.arn.split(":")[-1][0], event.name, event.time) for event in aws.events if "Test" not in event.name
        ]
        order = [
            ("c", utc(2026, 3, 12, 12)),
            ("c", utc(2026, 3, 13)),
            ("b", utc(2026, 3, 13, 3)),
            ("a", utc(2026, 3, 13, 8)),
        ]
        names = ("RotationStarted", "RotationSucceeded")
        assert done == [(secret, name, moment.timestamp()) for secret, moment in order for name in names]

    def test_a_failed_one_leaves_its_date_in_the_past(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        says(
            "DescribeSecretResponse",
            "If rotation fails, Secrets Manager retries the entire rotation process multiple times. If rotation is "
            "unsuccessful, this date may be in the past.",
        )
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(1 day)"})
        rotator.fails = True
        aws.advance(3 * DAY)
        assert next_date(client) == utc(2026, 3, 13, 23, 59, 59)
        days = sorted(set(rotations(aws, "RotationFailed")))
        assert days == [utc(2026, 3, 13), utc(2026, 3, 14), utc(2026, 3, 15)]
        assert len({rotation.token for rotation in aws.rotations[1:]}) == 1  # the same, tried again
        assert client.describe_secret(SecretId="app")["LastRotatedDate"] == NOW
        rotator.fails = False
        aws.advance(DAY)
        assert next_date(client) == utc(2026, 3, 17, 23, 59, 59)
        assert client.describe_secret(SecretId="app")["LastRotatedDate"] == utc(2026, 3, 16)

    def test_a_deleted_one_is_not_rotated(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        """DeleteSecret: a secret that is scheduled for deletion is not accessible."""
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(1 day)"})
        client.delete_secret(SecretId="app")
        aws.advance(3 * DAY)
        assert rotations(aws, "RotationStarted") == [NOW]

    def test_a_value_by_hand_abandons_a_failed_rotation_too(
        self, aws: Simulator, client: "SecretsManagerClient", rotator: Rotator
    ) -> None:
        """CloudTrail, RotationAbandoned: "Secrets Manager removed the AWSPENDING label from an existing version of a secret. When you manually create a new version of a secret, you send a message signalling the abandonment of the current ongoing rotation in favor of the new secret version"."""
        rotator.fails = True
        aws.rotate("app", RotationLambdaARN=rotator.arn, RotationRules={"ScheduleExpression": "rate(1 day)"})
        aws.advance(HOUR)
        client.put_secret_value(SecretId="app", SecretString="by hand")
        assert rotations(aws, "RotationAbandoned") == [NOW + HOUR]
        rotator.fails = False
        aws.advance(DAY)
        assert rotations(aws) == [utc(2026, 3, 13)]
        client.put_secret_value(SecretId="app", SecretString="by hand again")
        assert len(rotations(aws, "RotationAbandoned")) == 1  # nothing was pending any more

    def test_the_real_clock_moves_too(self) -> None:
        """Without a clock of the test's own."""
        with Simulator() as aws:
            before = aws.now()
            aws.advance(DAY)
            assert timedelta(seconds=aws.now() - before) - DAY < timedelta(seconds=10)


def accepted(client: "SecretsManagerClient", rotator: Rotator, rules: Any) -> None:
    """RotateSecret takes these rules."""
    client.rotate_secret(SecretId="app", RotationLambdaARN=rotator.arn, RotationRules=rules, RotateImmediately=False)
    client.cancel_rotate_secret(SecretId="app")


def refused(client: "SecretsManagerClient", rotator: Rotator, rules: Any, why: str = ".") -> None:
    """RotateSecret refuses them, saying why, and changes nothing."""
    with pytest.raises(ClientError, match=why) as error:
        client.rotate_secret(SecretId="app", RotationLambdaARN=rotator.arn, RotationRules=rules)
    assert error.value.response["Error"]["Code"] == "InvalidParameterException"
    assert "RotationRules" not in client.describe_secret(SecretId="app")
