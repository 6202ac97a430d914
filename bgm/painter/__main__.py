"""``python -m bgm.painter``: serve this machine's GPU to other pages. BGM_MUSIC and BGM_LORA select the model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in bgm.__main__: before NumPy and torch are loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bgm import environment
from bgm.engines import EngineOptions
from bgm.errors import BgmError, EngineUnavailable
from bgm.log import configure
from bgm.music.riffusion import model
from bgm.music.riffusion.model import ModelKey
from bgm.painter.server import Server


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped. Exit status 2, with one sentence, if it can't start."""
    p = argparse.ArgumentParser("python -m bgm.painter", description=__doc__)
    p.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
    p.add_argument("--port", type=int, default=8000)
    arguments = p.parse_args(argv)
    try:
        operator = environment.read()
        configure(operator.log_level, operator.log_format)
        key = model_of(operator)
        missing = model.why_missing(key)
        if missing:
            raise EngineUnavailable(f"the painter can't paint here: {missing}")
        token = operator.painter_token.get_secret_value() if operator.painter_token else None
        if token is None and arguments.host not in ("127.0.0.1", "localhost", "::1"):
            print("bgm: anybody who reaches this address can use the GPU: set BGM_PAINTER_TOKEN", file=sys.stderr)
        serve(Server(key, token), arguments.host, arguments.port)
    except BgmError as error:
        print(f"bgm: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def model_of(operator: environment.Environment) -> ModelKey:
    """The operator's choice; with BGM_DEVICE=cpu a painter runs without a GPU."""
    model = operator.music.partition(":")[2] or None
    return ModelKey.of(EngineOptions(model=model, offline=operator.offline, device=operator.device, lora=operator.lora))


def serve(server: Server, host: str, port: int) -> None:
    """Until SIGTERM or Ctrl-C: running jobs get five seconds; clients then retry."""
    import uvicorn

    uvicorn.run(server.app(), host=host, port=port, log_level="warning", timeout_graceful_shutdown=5)


if __name__ == "__main__":
    sys.exit(main())
