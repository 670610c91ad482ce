"""What all tests share."""

import hypothesis

# A busy machine is no failure: examples that write files take longer beside other jobs.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
