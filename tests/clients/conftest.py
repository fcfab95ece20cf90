"""An environment of its own for each client, and the variables that point it at the running stack: nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from requirements import ENVIRONMENTS

from headwater.stack import info

Program = Callable[[str], str]
_KEPT = ("PATH", "HOME", "LANG", "PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE")


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The ``bin`` folder of a client's environment, made when first asked for; a failure to make it is a failure."""
    root = tmp_path_factory.mktemp("clients")
    made: dict[str, Path] = {}

    def environment(client: str) -> Path:
        if client not in made:
            folder = root / client
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *ENVIRONMENTS[client]]
            subprocess.run(pip, check=True)
            made[client] = folder / "bin"
        return made[client]

    return environment


@pytest.fixture
def stack_variables(stack_state: Path) -> dict[str, str]:
    """The environment of a program that knows of the stack only what ``headwater env`` prints."""
    running = info.read(stack_state)
    assert running is not None
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {
        "AWS_ENDPOINT_URL": running.endpoint_url,
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture
def bucket(stack_variables: dict[str, str]) -> str:
    """A new, empty bucket."""
    name = f"clients-{uuid.uuid4().hex[:12]}"
    client = boto3.client(
        "s3",
        endpoint_url=stack_variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=stack_variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack_variables["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def run_program(
    environments: Callable[[str], Path], stack_variables: dict[str, str], bucket: str, tmp_path: Path
) -> Callable[[str], None]:
    """Runs ``programs/<client>.py`` in the client's environment; it gets the bucket and a database's name."""

    def run(client: str) -> None:
        python = environments(client) / "python"
        program = Path(__file__).parent / "programs" / f"{client}.py"
        arguments = [str(python), str(program), bucket, f"clients_{uuid.uuid4().hex[:8]}"]
        variables = {**stack_variables, "PATH": f"{python.parent}:{stack_variables['PATH']}"}
        done = subprocess.run(
            arguments, env=variables, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    return run
