"""scikit-learn's ``get_params`` and ``set_params``, so that ``clone`` and grid searches work."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from configs.errors import ConfigError

_BRIEF = 60  # characters of an argument
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _differs(given: Mapping[str, Any], name: str, default: Any) -> bool:
    """Return whether an argument is stored and is not the default; arrays, which have no one answer, differ."""
    if name not in given or given[name] is default:
        return False
    same = given[name] == default
    return not (isinstance(same, bool) and same)


def _brief(value: Any) -> str:
    """Return a value as it is written in Python; of a long one, such as a configuration, only its class."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _BRIEF else f"{type(value).__name__}(…)"


class Parameters:
    """The constructor's keywords as parameters.

    As in scikit-learn, a constructor stores each argument under its own name. One that makes something else of its
    arguments keeps them in ``_given`` as well.
    """

    estimator_type: ClassVar[str | None] = None  # scikit-learn's: classifier or regressor
    _given: dict[str, Any]

    def __repr__(self) -> str:
        """Return the class and the arguments that are not the defaults, as scikit-learn does."""
        given = self.__dict__.get("_given", self.__dict__)
        changed = {name: given[name] for name, default in self._parameters().items() if _differs(given, name, default)}
        return f"{type(self).__name__}({', '.join(f'{name}={_brief(value)}' for name, value in changed.items())})"

    @classmethod
    def _parameter_names(cls) -> tuple[str, ...]:
        """Return the keywords of the constructor; of one that passes others on, also those of its base class."""
        return tuple(cls._parameters())

    @classmethod
    def _parameters(cls) -> dict[str, Any]:
        """Return the keywords of the constructor, see :meth:`_parameter_names`, and their defaults."""
        names = dict[str, Any]()
        for base in cls.__mro__:
            if "__init__" not in vars(base):
                continue
            found = inspect.signature(vars(base)["__init__"]).parameters.values()
            own = {one.name: one.default for one in list(found)[1:] if one.kind not in _VARIADIC}
            names |= {name: default for name, default in own.items() if name not in names}
            if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in found):
                break
        return names

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments by name, as they were given.

        Raises
        ------
        ConfigError
            The class does not store an argument under its own name.
        """
        given = self.__dict__.get("_given", self.__dict__)
        missing = [name for name in self._parameter_names() if name not in given]
        if missing:
            raise ConfigError(
                f"{type(self).__name__} does not keep its argument {missing[0]!r}; expected an attribute of that "
                f"name. Write self.{missing[0]} = {missing[0]} in __init__."
            )
        return {name: given[name] for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Change some of the constructor's arguments. What was fitted with others is forgotten.

        Raises
        ------
        ConfigError
            The constructor has no such argument, or the value is out of range.
        """
        given = self.get_params()
        self.check_parameters(params)
        if params:
            fresh = type(self)(**{**given, **params})
            self.__dict__.clear()
            self.__dict__.update(fresh.__dict__)
        return self

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn asks of an estimator."""
        from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags

        kind = self.estimator_type
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=False),
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
        )

    @classmethod
    def check_parameters(cls, names: Iterable[str]) -> None:
        """Raise ``ConfigError`` if the constructor has no argument of such a name."""
        known = cls._parameter_names()
        if unknown := [name for name in names if name not in known]:
            close = difflib.get_close_matches(unknown[0], known, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Choose from: {', '.join(known) or 'none'}."
            raise ConfigError(f"{cls.__name__} has no parameter {unknown[0]!r}. {hint}")
