"""The loop of a bot in a thread, for tests of it, and the runs that it recorded."""

from threading import Event, Thread

from sqlalchemy import select
from waiting import BOUND_S

from serving.bot.runner import Runner
from serving.bot.runs import newest_runs
from serving.bot.schedule import parse_schedule
from serving.bot.task import TaskSpec
from serving.journal.schema import task_runs

SOON = parse_schedule("every 1s")


def spec(name: str, run, place: int = 10, **more) -> TaskSpec:
    return TaskSpec(name, name, place, "every 1s", run, **more)


class Loop:
    """A runner in a thread."""

    def __init__(self, services, *specs):
        self.stop = Event()
        self.runner = Runner(services, specs, {one.name: SOON for one in specs})
        self.thread = Thread(target=self.runner.run, args=(self.stop,))
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(BOUND_S)
        assert not self.thread.is_alive()


def runs_of(journal, task: str) -> list:
    with journal.connect() as connection:
        rows = select(task_runs).where(task_runs.c.task == task).order_by(task_runs.c.due_at)
        return connection.execute(rows).all()


def newest(journal) -> dict:
    with journal.connect() as connection:
        return newest_runs(connection, "paper")
