"""`snakemake` that asks for the states of jobs every 2 s, as often as the profile allows.

The SLURM executor asks 10 s later after each time that no job had ended. No flag says otherwise,
and tests have jobs of seconds.
"""

import asyncio

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def sleep(executor: RemoteExecutor) -> None:
    await asyncio.sleep(1)


RemoteExecutor.sleep = sleep

if __name__ == "__main__":
    main()
