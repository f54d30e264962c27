"""The year of a service or an environment, with the policies and freezes in force."""

from app.core.rule_style import rule_styles
from app.core.wallclock import Zone
from app.core.year import TooOftenError, Year, YearRequest, build_year, holidays_of, rules_of, year_span
from app.gate.errors import InvalidFieldError
from app.gate.in_force import InForce


def year_in_force(in_force: InForce, request: YearRequest, where: Zone, now: int) -> Year:
    """Return a year, on the wall clock of `where`; compiled anew, so that blocks of now stay in memory.

    Raises:
        UnknownNameError: the policies list no such environment, kind of change or service.
        InvalidFieldError: the rules change too often for it to be shown.
    """
    engine = in_force.engine
    scope = (
        engine.scope(request.service, request.environment, request.change)
        if request.service
        else engine.environment(request.environment, request.change)
    )
    styles = rule_styles(in_force.policy_set.policies, engine.freezes, now)
    try:
        rules = rules_of(scope.vetoers, year_span(request.year, where), styles)
    except TooOftenError as error:
        raise InvalidFieldError("year", str(error)) from None
    holidays = holidays_of(in_force.policy_set, request.year)
    return build_year(request, where, rules, holidays, in_force.revision)
