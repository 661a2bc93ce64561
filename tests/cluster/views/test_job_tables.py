"""Jobs in one table, whatever their commands."""

from cluster.views.job_tables import show_job, show_jobs

JOB = {"name": "fleetcast-train-0123456789ab", "status": "RUNNING", "started": 0, "seconds": 68}
JOB |= {"command": "train --store s3://bucket/fleetcast " + "--set run.seed=1 " * 20, "message": "[red]at work"}


def test_each_job_is_one_line_of_one_table_in_80_columns(capsys):
    show_jobs([JOB, {**JOB, "started": None, "seconds": None}], False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    assert lines[1].startswith("fleetcast-train-0123456789ab  running  1970-01-01 00:00  68 s  train")


def test_a_job_is_shown_with_its_whole_command_and_message(capsys):
    show_job(JOB, False)
    out = capsys.readouterr().out
    assert JOB["command"] in out and "message  [red]at work" in out and "1970-01-01 00:00:00 UTC" in out
