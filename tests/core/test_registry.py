"""Registries of values that higher apps register for lower ones."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from core.registry import Registry, identity


@dataclass(frozen=True)
class Meal:
    name: str
    price: int = 1


@pytest.fixture
def meals():
    found = Registry[str, Meal]("meal")
    found.register(Meal("soup"))
    found.register(Meal("bread"))
    return found


def test_keeps_the_order_of_registration_and_sorts_on_request(meals):
    assert list(meals) == ["soup", "bread"]
    assert meals.by_name() == [Meal("bread"), Meal("soup")]
    assert meals["soup"] == Meal("soup")


def test_a_value_can_be_registered_twice_but_its_name_only_once(meals):
    assert meals.register(Meal("soup")) == Meal("soup")
    with pytest.raises(ValueError, match="two meals are named 'soup'"):
        meals.register(Meal("soup", price=2))
    assert meals["soup"].price == 1
    assert len(meals) == 2


def test_register_is_a_decorator_for_functions():
    functions = Registry("function", key=identity)

    @functions.register
    def first() -> None: ...

    assert list(functions.values()) == [first]


def test_an_override_is_undone_even_after_a_failure(meals):
    with pytest.raises(ZeroDivisionError), meals.override(Meal("soup", price=3), Meal("cake")):
        assert (meals["soup"].price, "cake" in meals) == (3, True)
        meals.register(Meal("tea"))
        del meals["bread"]
        raise ZeroDivisionError
    assert list(meals.values()) == [Meal("soup"), Meal("bread")]


def test_subscribers_are_called_in_the_order_of_the_installed_apps():
    program = """
import django
django.setup()
from core.events import subscriptions
print(*(one.subscriber.__module__.split(".")[0] for one in subscriptions.values()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    apps = list(dict.fromkeys(done.stdout.split()))
    assert apps == ["credits", "renders", "notifications", "analytics", "automations"]
