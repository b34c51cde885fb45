"""What people do, in mid-rotation and between: an operator gives a rotation up, cancels it, goes back; somebody edits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from testkit.explorer.store import version_id
from testkit.explorer.world import BASE, CLONE, UNKNOWN, State, Value, Version

WRONG = "somebody has stored a wrong password"
UNTOLD = "somebody has changed the password at the server, and told nobody"


@dataclass(frozen=True)
class Act:
    """do: the state afterwards, None where there is nothing to do. meanwhile: also while the function runs."""

    said: str
    do: Callable[[State], State | None]
    meanwhile: bool = False


def _under_way(state: State) -> bool:
    pending = state.holder("AWSPENDING")
    return pending is not None and "AWSCURRENT" not in pending.labels


def _take_off(state: State) -> State | None:
    return state.wrote(state.now.without_pending()) if _under_way(state) else None


def _cancel(state: State) -> State | None:
    return state.wrote(replace(state.now, enabled=False)) if state.now.enabled else None


def _go_back(state: State) -> State | None:
    """The runbook's way: AWSCURRENT to AWSPREVIOUS's version, and AWSPENDING off."""
    previous = state.holder("AWSPREVIOUS")
    if previous is None or not state.works(previous):
        return None
    return replace(state.wrote(state.now.promoted(previous.id).without_pending()), keeps=False)


def _put(state: State, value: Value) -> State:
    """PutSecretValue by hand: it is AWSCURRENT, and no rotation is under way any more."""
    by_hand = Version(version_id(len(state.now.versions), "h"), value, frozenset())
    return replace(state.wrote(state.now.without_pending().with_version(by_hand).promoted(by_hand.id)), keeps=False)


def _current(state: State) -> Value | None:
    """What AWSCURRENT holds, where it works."""
    current = state.holder("AWSCURRENT")
    return current.value if current and state.works(current) else None


def _put_again(state: State) -> State | None:
    value = _current(state)
    return _put(state, value) if value and _under_way(state) else None


def _put_wrong(state: State) -> State | None:
    value = _current(state)
    return replace(_put(state, (value[0], "*typed", value[2])), excused=WRONG) if value else None


def _put_other_field(state: State) -> State | None:
    value = _current(state)
    return _put(state, (value[0], value[1], "edited")) if value and not value[2] else None


def _put_handmade(state: State) -> State | None:
    """Another key, made by hand."""
    value = _current(state)
    if value is None or len([key for key, label in state.keys if not label]) > 1:
        return None
    return replace(_put(state, (value[0], "*handmade", value[2])), keys=(*state.keys, ("*handmade", "")))


def _change_untold(state: State) -> State | None:
    user = dict(state.users)[BASE]
    after = state.with_user(BASE, replace(user, primary=UNKNOWN))
    return replace(after, excused=UNTOLD, keeps=False, disturbed=_under_way(state))


def _grant(state: State) -> State | None:
    clone = dict(state.users).get(CLONE)
    return state.with_user(CLONE, replace(clone, rights="more")) if clone and clone.rights == "the base's" else None


def _revoke(state: State) -> State | None:
    """What the refusal says."""
    clone = dict(state.users).get(CLONE)
    return state.with_user(CLONE, replace(clone, rights="the base's")) if clone and clone.rights == "more" else None


def _make_room(state: State) -> State | None:
    """What K4's error says, for a key that was made by hand and that no staged version holds."""
    return _without(state, {key for key, label in state.keys if not label})


def _make_more_room(state: State) -> State | None:
    """The same for every key that no staged version holds."""
    return _without(state, {key for key, _ in state.keys})


def _without(state: State, keys: set[str]) -> State | None:
    held = {one.value[1] for one in state.now.versions if one.value and one.labels}
    left = tuple((key, label) for key, label in state.keys if key in held or key not in keys)
    return replace(state, keys=left) if left != state.keys else None


def _drop(state: State) -> State | None:
    """The clone, while nobody is promised that it works."""
    current = state.holder("AWSCURRENT")
    used = current is None or current.value is None or current.value[0] == CLONE
    if used or _under_way(state) or CLONE not in dict(state.users):
        return None
    return replace(state, users=tuple(one for one in state.users if one[0] != CLONE), keeps=False)


TAKE_OFF = Act("an operator takes AWSPENDING off", _take_off, meanwhile=True)
CANCEL = Act("an operator cancels the rotation", _cancel, meanwhile=True)
PUT_AGAIN = Act("an operator puts AWSCURRENT's value again", _put_again, meanwhile=True)
GO_BACK = Act("an operator goes back to AWSPREVIOUS", _go_back)
EDIT_FIELD = Act("somebody edits another field", _put_other_field)
EDIT_WRONG = Act("somebody stores a wrong password", _put_wrong)
HANDMADE = Act("somebody stores another key, made by hand", _put_handmade)
CHANGE_UNTOLD = Act("somebody changes the password at the server, and tells nobody", _change_untold)
GRANT = Act("an operator grants the clone more than the base has", _grant)
REVOKE = Act("the operator does as the refusal says, and revokes it", _revoke)
MAKE_ROOM = Act("the operator does as the error says, and revokes a key made by hand", _make_room)
MAKE_MORE_ROOM = Act("the operator revokes every key that no staged version holds", _make_more_room)
DROP = Act("an operator drops the clone that nobody uses", _drop)
ALWAYS = (TAKE_OFF, CANCEL, PUT_AGAIN, GO_BACK, EDIT_FIELD)
PASSWORDS = (*ALWAYS, EDIT_WRONG)
