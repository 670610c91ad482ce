"""What pyproject.toml cannot say: a wheel holds what in a checkout stands beside the package.

`mesodecode.base.files.WORKFLOW` finds it in both places.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithWorkflow(build_py):
    """Build the package with schemas, rules, captions, tables, Snakefile and demo in it."""

    def run(self):
        """Build; an editable install needs no copy."""
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib, "mesodecode")
        for name in ("schemas", "reference", "report", "rules"):
            shutil.copytree(f"workflow/{name}", package / "workflow" / name, dirs_exist_ok=True)
        for name in ("Snakefile", "demo.yaml", "workflow/Snakefile"):
            shutil.copy(name, package / name)


setup(cmdclass={"build_py": WithWorkflow})
