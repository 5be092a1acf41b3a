"""The checker as a user runs it, on good files, bad files, and files that are no files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment.definitions import DEFINITIONS, FARGATE, ROOT, STACK, filled

from checker.command import main  # isort: skip

SCRIPT = [sys.executable, str(DEFINITIONS / "check.py")]
FOREIGN = [Path(__file__).with_name(f"foreign_{name}.yaml") for name in ("stack", "network", "ec2")]
COMMAND = [sys.executable, "-m", "task-definitions", "check"]


def run(*arguments: str | Path, command: list[str] = SCRIPT) -> tuple[int, str, str]:
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [SCRIPT, COMMAND], ids=["script", "command"])
def test_a_good_file_is_silence(tmp_path: Path, command: list[str]) -> None:
    """Status 0 and nothing said."""
    good = tmp_path / "good.json"
    good.write_text(json.dumps(filled()))
    assert run(good, command=command) == (0, "", "")


def test_a_bad_file_is_a_line_a_finding(tmp_path: Path) -> None:
    """File, what is wrong and what to do, the rule's name; the good one beside it is silence."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(filled()))
    bad.write_text(json.dumps({**filled(), "cpu": "1000"}))
    status, said, _ = run(good, bad)
    assert status == 1
    assert said.startswith(f"{bad}: cpu '1000'")
    assert said.endswith("[fargate_size]\n")
    assert len(said.splitlines()) == 1


def test_a_rule_may_be_ignored_by_name(tmp_path: Path) -> None:
    """For those who know better; a name that is no rule's is refused."""
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({**filled(), "cpu": "1000"}))
    assert run("--ignore", "fargate_size", bad) == (0, "", "")
    status, _, error = run("--ignore", "fargate_sise", bad)
    assert status == 2
    assert "fargate_sise" in error


def test_what_is_not_filled_in_is_named() -> None:
    """A variable's value may be any text to ECS, `${LOG_GROUP}` too."""
    status, said, _ = run(FARGATE)
    assert status == 1
    assert "${LOG_GROUP} is not filled in" in said


def test_the_stack_is_clean() -> None:
    """cfn-lint without an error or a warning, and no rule of ours, in every view of it."""
    assert run(STACK) == (0, "", "")


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.stem)
def test_somebody_else_s_sound_stack_has_no_finding(path: Path) -> None:
    """Other names, lists for parameters, a policy apart, ARNs by GetAtt, a VPC with a NAT and a
    public load balancer, secrets, scaling by requests: nothing to complain of."""
    assert run(path) == (0, "", "")


MALFORMED = {
    "nothing": "",
    "blank": " \n\t\n",
    "binary": "\0\1\2",
    "a list": "[1, 2]",
    "a word": "hello",
    "a number": "7",
    "null": "null",
    "half JSON": '{"family": "x", "containerDefinitions": [',
    "JSON twice": '{"family": "x", "family": "y", "containerDefinitions": []}',
    "half YAML": "Resources:\n  A: {Type: [",
    "a tab": "Resources:\n\tA: 1\n",
    "an alias": "Resources:\n  A: &a {Type: x}\n  B: *a\n",
    "an alias of itself": "Resources: &r\n  A: *r\n",
    "a key twice": "Resources:\n  A: {Type: x}\n  A: {Type: y}\n",
    "a mapping for a key": "Resources:\n  ? {a: b}\n  : c\n",
    "another kind": '{"hello": 1}',
    "a bad tag": "Resources:\n  A: !!python/object:os.system x\n",
    "resources in a list": "Resources: [1, 2]\n",
    "no resources": "Resources:\n",
    "a resource that is text": "Resources: {A: text}\n",
    "a resource without a type": "Resources: {A: {Properties: {}}}\n",
    "properties in a list": "Resources: {A: {Type: AWS::EFS::FileSystem, Properties: [1]}}\n",
    "policy in a list": "Resources: {A: {Type: AWS::EFS::FileSystem, Properties: {FileSystemPolicy: [1]}}}\n",
    "numbers everywhere": (
        "Resources: {A: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: 7,"
        " Volumes: 8}}, B: {Type: AWS::ECS::Service, Properties: {TaskDefinition: !Ref A,"
        " NetworkConfiguration: 9, LoadBalancers: 3}}, C: {Type: AWS::IAM::Role, Properties:"
        " {Policies: 4, AssumeRolePolicyDocument: 5}}}\n"
    ),
    "a bad If": "Conditions: {C: !Equals [a]}\nResources: {A: {Type: AWS::EFS::FileSystem, Properties: !If [C, 1]}}\n",
    "conditions in a circle": (
        "Conditions: {C: !Condition D, D: !Condition C}\nResources: {A: {Type: AWS::S3::Bucket, Condition: C}}\n"
    ),
    "containers of text": '{"family": "x", "containerDefinitions": ["app"], "volumes": {"a": 1}}',
    "family alone": '{"family": 7}',
    "statements of text": '{"Version": "2012-10-17", "Statement": "x"}',
    "a condition of text": '{"Statement": [{"Effect": "Allow", "Action": "x:y", "Resource": "z", "Condition": "c"}]}',
    "depth": '{"Resources": ' + '{"A": ' * 3000 + "1" + "}" * 3001,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_a_line_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Whatever the file holds, a person is told, in one line a finding."""
    file = tmp_path / "bad.yaml"
    file.write_text(MALFORMED[name])
    status = main([str(file)])
    said = capsys.readouterr()
    assert status in (1, 2), said
    lines = (said.out + said.err).splitlines()
    assert lines
    assert all(str(file) in line for line in lines), lines


def test_a_file_that_cannot_be_read_is_status_2(tmp_path: Path) -> None:
    """No such file, a directory, another encoding."""
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("Description: \xe4\n".encode("latin-1"))
    for path in (tmp_path / "none.json", tmp_path, latin):
        status, said, error = run(path)
        assert (status, said) == (2, "")
        assert error.startswith(f"{path}: ")
    assert run()[0] == 2


def test_what_ecs_describes_can_be_checked(tmp_path: Path) -> None:
    """The output of describe-task-definition, with what ECS adds."""
    described = {"taskDefinition": {**filled(), "revision": 7, "status": "ACTIVE"}, "tags": []}
    file = tmp_path / "described.json"
    file.write_text(json.dumps(described))
    assert run(file) == (0, "", "")
