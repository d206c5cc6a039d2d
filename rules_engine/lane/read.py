"""Reading: the subjects of a turn from the shop, in bulk, up to four requests at a time, outside any transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from rules_engine.core.action import Reading, Request
from rules_engine.core.errors import AuthenticationError, CallError, PermanentError, TemporaryError
from rules_engine.core.subject import ALL, Snapshot, SubjectKind, SubjectRef
from rules_engine.vendors.base import AnyVendor

from .calls import Calls

AT_ONCE = 4
"""Reads that are under way at the same time."""


@dataclass(slots=True)
class Seen:
    """What reading showed. `failed` are subjects that alone could not be read, with the reason.

    `listed` are the kinds of which a complete list was read.
    """

    snapshots: dict[SubjectRef, Snapshot] = field(default_factory=dict)
    missing: set[SubjectRef] = field(default_factory=set)
    failed: dict[SubjectRef, str] = field(default_factory=dict)
    listed: set[SubjectKind] = field(default_factory=set)

    def add(self, reading: Reading) -> None:
        """Add what one answer showed."""
        for snapshot in reading.snapshots:
            self.snapshots[snapshot.ref] = snapshot
            self.missing.discard(snapshot.ref)
        self.missing |= {ref for ref in reading.missing if ref not in self.snapshots}

    def merge(self, other: Seen) -> None:
        """Add what another reading showed, which is newer."""
        self.snapshots |= other.snapshots
        self.missing = (self.missing - set(other.snapshots)) | other.missing
        self.failed |= other.failed
        self.listed |= other.listed


async def read_subjects(vendor: AnyVendor, calls: Calls, subjects: Sequence[SubjectRef]) -> Seen:
    """Read these subjects.

    Raises `NotNowError`, `TemporaryError` or `AuthenticationError` when the shop cannot be read now. One subject that
    the shop refuses for good is set aside alone, never those that were read with it.
    """
    seen = Seen()
    at_once = asyncio.Semaphore(AT_ONCE)
    wanted = list(dict.fromkeys(subjects))
    try:
        requests = list(vendor.read(wanted))
    except PermanentError:
        await _read_one_by_one(vendor, calls, wanted, seen)
        return seen

    async def follow(request: Request) -> None:
        waiting = [request]
        while waiting:
            current = waiting.pop(0)
            async with at_once:
                reading = await _read(vendor, calls, current, seen)
            if reading is not None:
                seen.add(reading)
                waiting += reading.more

    try:
        async with asyncio.TaskGroup() as group:
            for request in requests:
                group.create_task(follow(request))
    except* CallError as errors:
        raise _first(errors) from None
    seen.listed |= {ref.kind for ref in wanted if ref.id == ALL and ref not in seen.failed}
    return seen


async def read_list_page(vendor: AnyVendor, calls: Calls, request: Request) -> tuple[Seen, Request | None, int | None]:
    """One page of a list of products, with the reads of those that it shows only in part.

    With it come the request for the next page, None at the end, and how many products the list has, where the shop
    says so. Raises `NotNowError`, `TemporaryError` or `AuthenticationError` when the shop cannot be read now, and
    `PermanentError` when it refuses this page for good, or breaks over it again and again.
    """
    seen = Seen()
    reading = await _read(vendor, calls, request, seen, gives_up=True)
    if reading is None:
        raise PermanentError(seen.failed[request.subjects[0]])
    seen.add(reading)
    following = next((each for each in reading.more if each.subjects == request.subjects), None)
    waiting = [each for each in reading.more if each is not following]
    while waiting:
        more = await _read(vendor, calls, waiting.pop(0), seen)
        if more is not None:
            seen.add(more)
            waiting += more.more
    return seen, following, reading.total


def _first(errors: BaseExceptionGroup[CallError]) -> CallError:
    """The error that says most: that we are shut out, else the first."""
    flat = [error for error in errors.exceptions if isinstance(error, CallError)]
    return next((error for error in flat if isinstance(error, AuthenticationError)), flat[0])


async def _read(
    vendor: AnyVendor, calls: Calls, request: Request, seen: Seen, *, gives_up: bool = False
) -> Reading | None:
    await calls.allow(request.cost)
    response = await calls.send(request)
    try:
        reading = vendor.parse(request, response)
    except (AuthenticationError, TemporaryError) as error:
        calls.failed(error)
        is_again = response.status == 500 and calls.health.failures > 1
        if isinstance(error, TemporaryError) and is_again and len(request.subjects) > 1:
            # A shop that breaks over one product breaks over every list with it: the others must not wait for that.
            await _read_one_by_one(vendor, calls, request.subjects, seen)
            return None
        if isinstance(error, TemporaryError) and is_again and gives_up:
            seen.failed |= dict.fromkeys(request.subjects, str(error))
            return None
        raise
    except PermanentError as error:
        calls.succeeded()  # the shop is well; it is this request that it does not like
        if len(request.subjects) > 1:
            await _read_one_by_one(vendor, calls, request.subjects, seen)
        else:
            seen.failed |= dict.fromkeys(request.subjects, str(error))
        return None
    calls.succeeded()
    return reading


async def _read_one_by_one(vendor: AnyVendor, calls: Calls, subjects: Sequence[SubjectRef], seen: Seen) -> None:
    """Find the subjects that spoil a request by reading each alone. Raises when the shop lets none through."""
    broken: dict[SubjectRef, TemporaryError] = {}
    for ref in subjects:
        try:
            await _read_alone(vendor, calls, ref, seen)
        except TemporaryError as error:
            broken[ref] = error
        except AuthenticationError:
            raise
        except PermanentError as error:
            seen.failed[ref] = str(error)
    if len(broken) == len(subjects):
        raise next(iter(broken.values()))
    seen.failed |= {ref: str(error) for ref, error in broken.items()}


async def _read_alone(vendor: AnyVendor, calls: Calls, ref: SubjectRef, seen: Seen) -> None:
    for request in vendor.read([ref]):
        reading = await _read(vendor, calls, request, seen)
        while reading is not None:
            seen.add(reading)
            reading = await _read(vendor, calls, reading.more[0], seen) if reading.more else None
